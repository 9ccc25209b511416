//! The core alone.

use std::process::Command;

#[test]
fn bob_may_talk_once_he_has_joined() {
    let output = Command::new(env!("CARGO_BIN_EXE_hello")).output().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "1 alice room_created: [Attach(UserId(1)), Broadcast, Regrant(UserId(1))]\n\
         bob post: refused, not a member of this room\n\
         2 bob joined: [Attach(UserId(2)), Broadcast, Regrant(UserId(2))]\n\
         3 bob posted: [Broadcast]\n\
         4 alice posted: [Broadcast]\n",
    );
}
