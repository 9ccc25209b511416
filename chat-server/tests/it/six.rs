//! Six people of six kinds in one room, each by his own spelling of it.

use serde_json::json;
use tokio::task::JoinSet;

use crate::people::{Heard, Kind, LINES, Person};
use crate::world::{Plain, World, http};

#[tokio::test]
async fn six_people_of_six_kinds_hear_every_line_once_and_in_one_order() {
    let world = World::new().await;
    let (mut ann, room) = host(&world).await;
    let mut people = guests(&world, room).await;
    people.insert(0, {
        ann.settle().await;
        ann
    });
    for person in &mut people {
        person.settle().await;
    }

    let mut talking = JoinSet::new();
    for person in people {
        talking.spawn(person.talk());
    }
    let mut people = Vec::new();
    let mut heard = Vec::new();
    for (person, lines) in talking.join_all().await {
        heard.push((person.kind, person.name, lines));
        people.push(person);
    }
    people.sort_by_key(|person| person.kind as usize);

    let whole = &heard.iter().find(|it| it.0 == Kind::Native).unwrap().2;
    assert_eq!(whole.len(), 6 * LINES);
    for (kind, name, lines) in &heard {
        let own = |sender: &str| !kind.echoes() && sender == *name;
        let due: Vec<_> = whole.iter().filter(|(sender, _)| !own(sender)).collect();
        assert_eq!(lines.iter().collect::<Vec<_>>(), due, "{kind:?}");
    }
    for person in &people {
        let said: Vec<_> = whole.iter().filter(|it| it.0 == person.name).collect();
        let due = (0..LINES).map(|number| person.line(number));
        assert!(
            said.into_iter().map(|it| it.1.clone()).eq(due),
            "{}",
            person.name
        );
    }

    part(people).await;
    world.stop().await;
}

/// One is kicked, one's connection breaks, one leaves: who can be told of that is told.
async fn part(people: Vec<Person>) {
    let Ok([mut ann, mut roo, sue, mut rea, mut abe, mut guy]) = <[Person; 6]>::try_from(people)
    else {
        panic!("six people")
    };
    let mut sue = sue;

    let here = ann.ask("presence", json!({"room": ann.number()})).await;
    let here = here["items"].as_array().unwrap().clone();
    let kicked = here.iter().find(|it| it["user"]["name"] == "roo").unwrap();
    let kick = json!({"room": ann.number(), "user": kicked["user"]["id"]});
    ann.ask("kick", kick).await;
    assert_eq!(
        sue.other().await,
        r#"42["userLeft",{"roomId":"Den","username":"roo"}]"#
    );
    assert_eq!(
        abe.other().await,
        r#"{"action":"user-left","username":"roo"}"#
    );
    // Word of it is on its way to him.
    while roo.is_inside().await {}

    drop(sue);
    assert_eq!(
        abe.other().await,
        r#"{"action":"user-left","username":"sue"}"#
    );

    let leave = json!({"action": "leave", "username": "abe", "roomId": abe.room});
    abe.socket.send(&leave.to_string()).await;
    abe.socket.send("{}").await;
    assert!(abe.other().await.contains("Invalid message format"));

    // Whoever has no word for all that hears the next line as the next thing.
    ann.say("are you there?").await;
    let line = || Heard::Line("ann".to_owned(), "are you there?".to_owned());
    assert_eq!(rea.hear().await, line());
    assert_eq!(guy.hear().await, line());
    assert!(!roo.is_inside().await);
    abe.socket.send("{}").await;
    assert!(abe.other().await.contains("Invalid message format"));
}

/// The one who made the room, in the native dialect.
pub(crate) async fn host(world: &World) -> (Person, u64) {
    let account = world.account("ann").await;
    let socket = Plain::connect(world.address, "/v1/ws").await;
    let mut ann = Person::of(Kind::Native, "ann", socket, String::new());
    ann.ask("hello", json!({"token": account.token})).await;
    let made = ann
        .ask(
            "create_room",
            json!({"name": "Den", "alias": "Den", "listed": true}),
        )
        .await;
    let room = made["room"].as_u64().unwrap();
    ann.room = room.to_string();
    (ann, room)
}

/// The five others, each by his own spelling.
pub(crate) async fn guests(world: &World, number: u64) -> Vec<Person> {
    let at = world.address;

    let code = Kind::Rooms.spell(number, "Den");
    let mut roo = Person::of(Kind::Rooms, "roo", Plain::connect(at, "/").await, code);
    let join = json!({"name": "roo", "roomId": roo.room, "pass": ""});
    roo.socket
        .send(&json!({"type": "join", "payload": join}).to_string())
        .await;
    assert!(roo.other().await.starts_with(r#"{"code":0,"#));

    let socket = Plain::connect(at, "/socket.io/?EIO=4&transport=websocket").await;
    let mut sue = Person::of(Kind::Socketio, "sue", socket, "Den".to_owned());
    assert!(sue.other().await.starts_with("0{"));
    sue.socket.send("40").await;
    assert!(sue.other().await.starts_with("40{"));
    sue.socket
        .send(r#"421["joinRoom",{"roomId":"Den","username":"sue"}]"#)
        .await;
    assert_eq!(sue.other().await, r#"431[{"success":true}]"#);

    let body = json!({"user_name": "rea", "email": "rea@mail.example", "password": "a secret"});
    let body = body.to_string();
    let said = http(at, "POST", "/v1/api/auth/signup", &[], body.as_bytes()).await;
    let token = said.json()["token"].as_str().unwrap().to_owned();
    let path = format!("/ws?room_id={number}&jwt={token}");
    let socket = Plain::connect(at, &path).await;
    let rea = Person::of(Kind::Rest, "rea", socket, number.to_string());

    let socket = Plain::connect(at, "/chat").await;
    let mut abe = Person::of(
        Kind::Actions,
        "abe",
        socket,
        Kind::Actions.spell(number, "Den"),
    );
    let join = json!({"action": "join", "username": "abe", "roomId": abe.room});
    abe.socket.send(&join.to_string()).await;
    assert!(abe.other().await.contains("Welcome to Den!"));

    let socket = Plain::connect(at, "/").await;
    let mut guy = Person::of(Kind::Groups, "guy", socket, "Den".to_owned());
    let connect = json!({"type": "first-connect", "name": "guy", "group": "Den"});
    guy.socket.send(&connect.to_string()).await;
    let acknowledged = r#"{"type":"acknowledge-connect","name":"guy","Group":"Den"}"#;
    assert_eq!(guy.other().await, acknowledged);
    vec![roo, sue, rea, abe, guy]
}
