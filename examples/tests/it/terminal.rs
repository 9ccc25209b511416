//! Terminals on pipes: people who type, and a server that dies under them.

use std::process::Command;

use crate::program::Program;
use crate::server::{House, PASSWORD};

fn terminal(house: &House, identity: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_terminal"));
    command.args(["--server", &house.socket()]).args(identity);
    command
        .env_remove("CHAT_TOKEN")
        .env("CHAT_PASSWORD", PASSWORD);
    Program::start(&mut command)
}

fn guest(house: &House, name: &str) -> Program {
    terminal(house, &["--guest", name])
}

#[test]
fn what_is_typed_while_the_server_is_dead_is_said_once_and_in_order() {
    let mut house = House::open();
    let mut ann = guest(&house, "ann");
    ann.types("/create den");
    ann.prints("you are in den");
    let (mut bob, mut eve) = (guest(&house, "bob"), guest(&house, "eve"));
    for other in [&mut bob, &mut eve] {
        other.types("/join den");
        other.prints("you are in den");
    }
    ann.types("hello");
    bob.prints("den ann: hello");
    eve.prints("den ann: hello");

    house.dies();
    bob.prints("the server is away");
    bob.types("are you there?");
    bob.prints("kept until the server is back");
    bob.types("I am");
    house.comes_back();
    eve.prints("den bob: are you there?");
    eve.prints("den bob: I am");
    ann.prints("den bob: are you there?");
    ann.prints("den bob: I am");
    ann.types("so am I");
    bob.prints("connected again");
    for other in [&mut ann, &mut bob, &mut eve] {
        other.prints("den ann: so am I");
    }

    for person in [ann, bob, eve] {
        let printed = person.ends();
        for said in ["are you there?", "I am", "so am I"] {
            let times = printed
                .iter()
                .filter(|line| line.ends_with(&format!(": {said}")))
                .count();
            assert_eq!(times, 1, "{said}: {printed:#?}");
        }
    }
}

#[test]
fn any_script_arrives_and_nobody_commands_the_terminal_of_another() {
    let house = House::open();
    let (mut ann, mut bob) = (guest(&house, "ann"), guest(&house, "bob"));
    ann.types("/create סלון");
    ann.prints("you are in סלון");
    bob.types("/join סלון");
    bob.prints("you are in סלון");
    ann.types("שלום مرحبا 👩\u{200d}👩\u{200d}👧 你好");
    bob.prints("סלון ann: שלום مرحبا 👩\u{200d}👩\u{200d}👧 你好");
    ann.types("\u{1b}[2J\u{1b}]0;pwned\u{7}");
    bob.prints(r"ann: \u{1b}[2J\u{1b}]0;pwned\u{7}");
}

#[test]
fn a_script_says_what_it_has_to_say_and_ends() {
    let house = House::open();
    let mut ci = terminal(&house, &["--sign-up", "ci"]);
    ci.types("/create builds");
    for build in 0..15 {
        // More than may be posted at once: the last ones wait for their turn.
        ci.types(&format!("build {build} is done"));
    }
    ci.ends();

    let mut ci = terminal(&house, &["--login", "ci"]);
    ci.types("/history");
    for build in 0..15 {
        ci.prints(&format!("builds ci: build {build} is done"));
    }
    ci.ends();
}

#[test]
fn rooms_are_found_entered_and_left() {
    let house = House::open();
    let (mut ann, mut bob) = (guest(&house, "ann"), guest(&house, "bob"));
    bob.types("hello?");
    bob.prints("you are in no room");
    ann.types("/create den");
    ann.types("/create attic");
    ann.types("it is dark up here");
    ann.prints("attic ann: it is dark up here");
    bob.types("/rooms");
    bob.prints("attic: 1 members");
    bob.prints("den: 1 members");
    bob.types("/join attic");
    bob.prints("attic ann: it is dark up here");
    bob.types("/me nick bobby");
    ann.prints("bob is called bobby here");
    bob.types("/who");
    bob.prints("-- in attic: ann, bob");
    bob.types("/leave");
    ann.prints("bobby left");
    bob.types("/join nowhere");
    bob.prints("refused: no such room");
    ann.types("/switch den");
    ann.types("//alone");
    ann.prints("den ann: /alone");
}
