//! One conversation, as each of six people would hear it.

use std::process::Command;

#[test]
fn one_line_is_heard_in_six_spellings() {
    let output = Command::new(env!("CARGO_BIN_EXE_dialects"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    let last = said.split("fay says a line\n").nth(1).unwrap();
    let at = r#""at":1790000000123"#;
    let time = "2026-09-21T14:13:20";
    let heard = [
        r#"  sends     {"type":"message","name":"fay","group":"Den","Text":"Hello, all of you!"}"#,
        &format!(
            r#"  native    {{"ev":"posted","room":1,"seq":13,{at},"by":{{"id":6,"name":"fay"}},"d":{{"idx":6,"content":{{"body":"Hello, all of you!"}}}}}}"#
        ),
        r#"  rooms     message: {"msg":"Hello, all of you!","user":"fay"}"#,
        &format!(
            r#"  socketio  42["message",{{"roomId":"Den","sender":"fay","message":"Hello, all of you!","timestamp":"{time}.123Z"}}]"#
        ),
        r#"  rest      {"Type":1,"Body":{"chatRoomId":1,"chatMessage":"Hello, all of you!","chatUser":"fay","chatUserId":6}}"#,
        &format!(
            r#"  actions   {{"action":"new-message","roomId":"room_1","sender":"fay","message":"Hello, all of you!","timestamp":"{time}Z"}}"#
        ),
        r#"  groups    {"type":"message","name":"fay","Text":"Hello, all of you!"}"#,
    ];
    assert_eq!(last.lines().collect::<Vec<_>>(), heard);
}
