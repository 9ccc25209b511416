//! The bot, its questions, and a server that dies.

use std::process::Command;

use crate::person::Person;
use crate::program::Program;
use crate::server::House;

fn bot(house: &House, token: &str) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bot"));
    command.args([
        "--server",
        &house.socket(),
        "--room",
        "den",
        "--token",
        token,
    ]);
    Program::start(&mut command)
}

#[tokio::test]
async fn the_bot_answers_each_question_once_though_server_and_bot_are_killed() {
    let mut house = House::open();
    let token = house.sign_up("echo").await;
    let mut ann = Person::guest(&house.socket(), "ann");
    let den = ann.creates("den").await;
    let mut echo = bot(&house, &token);
    echo.prints("listening");
    ann.posts(den, "!echo one");
    ann.hears("one").await;

    house.dies();
    ann.posts(den, "!echo two");
    echo.prints("away");
    house.comes_back();
    ann.hears("two").await;

    echo.kill();
    ann.posts(den, "!echo three");
    ann.hears("!echo three").await;
    let mut echo = bot(&house, &token);
    ann.hears("three").await;
    ann.posts(den, "!echo four");
    ann.hears("four").await;
    echo.kill();

    let said = ann.history(den).await;
    let answers: Vec<_> = said
        .iter()
        .filter(|(_, to)| to.is_some())
        .map(|(it, _)| it)
        .collect();
    assert_eq!(answers, ["one", "two", "three", "four"], "{said:?}");
}
