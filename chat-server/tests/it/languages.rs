//! Text of many languages: what arrives is what was said, byte for byte.

use serde_json::json;

use crate::world::{Native, World};

/// What people say: left to right and right to left, with marks that combine, and signs that are
/// made of several. Nothing here may be composed, decomposed, trimmed or reordered.
const SAID: [&str; 30] = [
    "Guten Morgen! Hat jemand den Schlüssel gesehen?",
    "Der hängt am Brett, gleich neben der Tür 🔑",
    "Ach so, danke \u{2013} ich war wohl blind 🙈",
    "Größe XL, Maßstab 1:100, 20 °C, 5 €",
    "Straße oder STRASSE, ẞ oder ß?",
    "صباح الخير يا جماعة، كيف الحال؟",
    "الحمد لله، كل شيء تمام 👍🏽",
    "نلتقي في الساعة ٥ عند المحطة (رصيف 3)؟",
    "اللُّغَةُ العَرَبِيَّةُ جَمِيلَةٌ",
    "شكراً جزيلاً 🌹",
    "בוקר טוב! מי בא לקפה?",
    "אני בא, רגע אחד ☕️",
    "שָׁלוֹם עֲלֵיכֶם",
    "השורה הזאת mixed עם English ו-123",
    "おはようございます。会議は何時からですか?",
    "十時からです。資料はもう送りました📎",
    "了解です、ありがとうございます🙇\u{200d}♀️",
    "がぎぐげご と か\u{3099}き\u{3099}く\u{3099}",
    "\u{2000b}\u{2a6a5} は珍しい漢字です",
    "नमस्ते! आज का काम कैसा चल रहा है?",
    "बहुत अच्छा, क्षमा करें मैं देर से आया",
    "ठीक है 😊 कल मिलते हैं",
    "Zażółć gęślą jaźń",
    "Cafe\u{301} und Café sind nicht dieselben Bytes",
    "👨\u{200d}👩\u{200d}👧\u{200d}👦 kommt um 8, 🏳️\u{200d}🌈 hängt schon, 🇩🇪🇯🇵🇮🇳",
    "👩🏿\u{200d}🚀🤷🏽\u{200d}♂️🧑\u{200d}🤝\u{200d}🧑",
    "z\u{351}\u{36b}\u{343}a\u{363}\u{36d}l\u{349}g\u{322}o",
    "\u{202e}umgekehrt\u{202c} und \u{2067}eingeschlossen\u{2069}",
    "  Leerzeichen vorn,\ttab,\r\nZeilen\n\nund hinten  ",
    "\"Anführung\", \\Schrägstrich\\, \u{7f}\u{1b}[31m, \u{2028}\u{2029}\u{feff}, </script>",
];

const LINES: usize = 2_000;

fn line(number: usize) -> String {
    let (first, second) = (SAID[number % SAID.len()], SAID[number * 7 % SAID.len()]);
    match number % 3 {
        0 => first.to_owned(),
        1 => format!("{first} {second}"),
        _ => format!("{number}: {second}\n{first}"),
    }
}

/// Says every second line, and hears all of them.
async fn converse(client: &mut Native, room: u64, begin: usize) -> Vec<String> {
    let mut heard = Vec::new();
    for number in (begin..LINES).step_by(2) {
        while heard.len() < number {
            heard.push(hear(client, room).await);
        }
        client.post(room, &line(number)).await;
        heard.push(hear(client, room).await);
    }
    while heard.len() < LINES {
        heard.push(hear(client, room).await);
    }
    heard
}

async fn hear(client: &mut Native, room: u64) -> String {
    let event = client.event_of(room).await;
    event["d"]["content"]["body"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn two_people_talk_for_a_long_time_in_many_languages() {
    let world = World::new().await;
    let (ann, bob) = (world.account("אנה").await, world.account("ボブ").await);
    let mut a = world.enter_on(0, &ann).await;
    let room = a.create(json!({"name": "Café 世界 🌍"})).await;
    let mut b = world.enter_on(1, &bob).await;
    b.join(room).await;
    b.event("joined").await;
    assert_eq!(a.event("joined").await["by"]["name"], "ボブ");
    let (by_a, by_b) = tokio::join!(converse(&mut a, room, 0), converse(&mut b, room, 1));
    let expected: Vec<_> = (0..LINES).map(line).collect();
    assert_eq!(by_a, expected);
    assert_eq!(by_b, expected);

    let mut read: Vec<String> = Vec::new();
    let mut after = 2;
    while read.len() < LINES {
        let d = json!({"room": room, "after": after, "limit": 200});
        let page = b.ok("history", d).await;
        let items = page["items"].as_array().unwrap();
        assert!(!items.is_empty(), "{} of {LINES} lines", read.len());
        let bodies = items
            .iter()
            .map(|it| it["content"]["body"].as_str().unwrap());
        read.extend(bodies.map(str::to_owned));
        after = items.last().unwrap()["seq"].as_u64().unwrap();
    }
    assert_eq!(read, expected);
    world.stop().await;
}
