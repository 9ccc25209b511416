//! The program as a shell sees it: what it prints, and the code it ends with.

#[cfg(target_os = "linux")]
mod signals;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::thread;

use chat_server::config::DEFAULT_TOML;
use tempfile::TempDir;

/// A folder of its own and an environment that holds nothing of ours.
struct Shell {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Shell {
    fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            variables: Vec::new(),
        }
    }

    fn with(mut self, variable: &'static str, text: &str) -> Self {
        self.variables.push((variable, text.to_owned()));
        self
    }

    fn with_file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.path().join(name), text).unwrap();
        self
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn run(&self, words: &str) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
        command
            .current_dir(self.path())
            .args(words.split_whitespace())
            .env_clear();
        let output = command
            .envs(self.variables.iter().cloned())
            .output()
            .unwrap();
        Said::from(output)
    }
}

/// What a command printed, and how it ended.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

impl Said {
    /// Asserts that it ended with a code and one line on standard error that holds these words.
    #[track_caller]
    fn fails(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.err);
        assert_eq!(self.err.lines().count(), 1, "one line: {}", self.err);
        for word in words {
            assert!(self.err.contains(word), "{word:?} in {}", self.err);
        }
        assert_eq!(self.out, "");
    }

    #[track_caller]
    fn succeeds(&self) -> &str {
        assert_eq!(self.code, Some(0), "{}", self.err);
        &self.out
    }
}

#[test]
fn a_sound_configuration_is_ok_without_any() {
    let said = Shell::new().run("check-config");
    assert_eq!(said.succeeds(), "ok\n");
    assert_eq!(said.err, "");
}

#[test]
fn an_unknown_flag_is_named() {
    Shell::new()
        .run("--colour")
        .fails(2, &["--colour", "--help"]);
    Shell::new().run("user add").fails(2, &["<NAME>"]);
    Shell::new().run("user").fails(2, &["--help"]);
}

#[test]
fn every_setting_is_a_flag_that_the_help_tells_of() {
    let help = Shell::new().run("--help");
    let settings = DEFAULT_TOML.lines().take_while(|line| *line != "[limits]");
    let keys = settings.filter_map(|line| line.trim_start_matches('#').split_once(" = "));
    let keys: Vec<_> = keys.filter(|(key, _)| !key.contains(' ')).collect();
    assert!(keys.len() > 20, "{keys:?}");
    for (key, _) in keys {
        let flag = format!(" --{} <", key.replace('_', "-"));
        assert!(help.succeeds().contains(&flag), "{flag}");
    }
}

#[test]
fn the_help_of_a_command_tells_of_its_own_options_first() {
    let help = Shell::new().run("verify --help");
    let place = |word: &str| help.succeeds().find(word).unwrap();
    assert!(place("--rebuild") < place("Configuration:"));
    assert!(place("Configuration:") < place("--listen"));
    let help = Shell::new().run("--help");
    assert!(help.succeeds().contains("73 store locked"));
}

#[test]
fn the_version_is_that_of_the_package() {
    let said = Shell::new().run("--version");
    assert_eq!(
        said.succeeds(),
        concat!("chat-server ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn malformed_flags_are_named_with_the_reason() {
    let shell = Shell::new();
    shell
        .run("--store floppy:a")
        .fails(2, &["--store", "floppy: is no store"]);
    shell
        .run("--store postgres:db")
        .fails(2, &["--store", "not of the form postgres://"]);
    let why = if cfg!(feature = "nats") {
        "can't be read"
    } else {
        "not part of this build (feature `nats`)"
    };
    shell
        .run("--bus nats://db:sesame")
        .fails(2, &["--bus", why]);
    shell
        .run("--listen 127.0.0.1")
        .fails(2, &["--listen", "\"127.0.0.1\" is not an address"]);
    shell
        .run("--listen irc=127.0.0.1:1")
        .fails(2, &["--listen", "\"irc\" is no dialect"]);
    shell.run("serve --workers 0").fails(2, &["--workers"]);
    shell
        .run("--guests perhaps")
        .fails(2, &["--guests", "neither on nor off"]);
    shell
        .run("--config nowhere.toml")
        .fails(2, &["--config", "nowhere.toml"]);
}

#[test]
fn malformed_variables_are_named_with_the_reason() {
    Shell::new()
        .with("CHAT_WORKERS", "many")
        .run("serve")
        .fails(2, &["CHAT_WORKERS", "many"]);
    Shell::new()
        .with("PORT", "http")
        .run("check-config")
        .fails(2, &["PORT", "127.0.0.1:http"]);
    Shell::new()
        .with("JWT_TTL", "1d")
        .run("check-config")
        .fails(2, &["JWT_TTL", "1d"]);
    Shell::new()
        .with("CHAT_LOG", "info=what=x")
        .run("serve")
        .fails(2, &["CHAT_LOG"]);
    Shell::new()
        .with("CHAT_CONFIG", "nowhere.toml")
        .run("serve")
        .fails(2, &["CHAT_CONFIG"]);
}

#[test]
fn an_empty_variable_counts_as_absent() {
    let shell = Shell::new()
        .with("PORT", "")
        .with("JWT_SECRET", "")
        .with("CHAT_STORE", "");
    assert_eq!(shell.run("check-config").succeeds(), "ok\n");
}

#[test]
fn an_unknown_key_is_warned_of_and_does_no_harm() {
    let shell = Shell::new().with_file("chat.toml", "stroe = 'memory:'\n[limits]\nbody = 1\n");
    let said = shell.run("check-config");
    assert_eq!(said.succeeds(), "ok\n");
    assert!(
        said.err.contains("warning: chat.toml: unknown key stroe"),
        "{}",
        said.err
    );
    assert!(
        said.err
            .contains("warning: chat.toml: unknown key limits.body"),
        "{}",
        said.err
    );
}

#[test]
fn an_unknown_variable_is_warned_of_and_does_no_harm() {
    let known = Shell::new()
        .with("CHAT_CONFIG", "")
        .with("CHAT_LOG", "warn")
        .with("CHAT_GUESTS", "off")
        .with("CHAT_JWT_SECRET_FILE", "");
    assert_eq!(known.run("check-config").err, "");
    let said = known.with("CHAT_GUEST", "off").run("check-config");
    assert_eq!(said.succeeds(), "ok\n");
    assert_eq!(
        said.err,
        "chat-server: warning: unknown variables CHAT_GUEST\n"
    );
}

#[test]
fn a_malformed_file_is_named_with_key_or_line() {
    let shell = Shell::new()
        .with_file("a.toml", "workers = 'many'\n")
        .with_file("b.toml", "\n= 1");
    shell
        .run("check-config -c a.toml")
        .fails(2, &["a.toml: workers: \"many\""]);
    shell
        .run("-c b.toml check-config")
        .fails(2, &["b.toml line 2"]);
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file() {
    // Each place is malformed in its own way, so the refusal tells which one was read.
    let shell = || Shell::new().with_file("chat.toml", "store = 'file:'\n");
    shell()
        .run("check-config")
        .fails(2, &["chat.toml: store: file:"]);
    let shell = || shell().with("CHAT_STORE", "variable:");
    shell()
        .run("check-config")
        .fails(2, &["CHAT_STORE: variable:"]);
    shell()
        .run("check-config --store flag:")
        .fails(2, &["--store: flag:"]);
    assert_eq!(
        shell().run("check-config --store memory:").succeeds(),
        "ok\n"
    );
}

#[test]
fn names_of_other_programs_are_weaker_than_our_own() {
    let shell = || Shell::new().with("APP_PORT", "x");
    shell().run("check-config").fails(2, &["APP_PORT"]);
    shell()
        .with("PORT", "y")
        .run("check-config")
        .fails(2, &["chat-server: PORT"]);
    let own = shell()
        .with("CHAT_LISTEN", "127.0.0.1:0")
        .run("check-config");
    assert_eq!(own.succeeds(), "ok\n");
}

#[test]
fn a_secret_may_lie_in_a_file_and_is_never_shown() {
    let secret = "a secret that is long enough to be one";
    let shell = || {
        let shell = Shell::new().with_file("secret", &format!("{secret}\n"));
        shell.with("CHAT_JWT_SECRET_FILE", "secret")
    };
    let said = shell().run("check-config");
    assert_eq!((said.succeeds(), said.err.as_str()), ("ok\n", ""));

    let both = shell().with("CHAT_JWT_SECRET", secret).run("check-config");
    both.fails(2, &["CHAT_JWT_SECRET_FILE", "only one"]);
    assert!(!both.err.contains(secret));
    let nowhere = Shell::new()
        .with("CHAT_JWT_SECRET_FILE", "nowhere")
        .run("check-config");
    nowhere.fails(2, &["CHAT_JWT_SECRET_FILE", "nowhere"]);
    let empty = Shell::new()
        .with_file("e", "\n")
        .with("CHAT_JWT_SECRET_FILE", "e");
    empty.run("check-config").fails(2, &["can't be empty"]);
}

#[cfg(feature = "postgres")]
#[test]
fn a_database_that_cant_be_reached_is_a_failure_of_the_store_and_its_password_is_not_shown() {
    let shell = Shell::new().with_file("url", "postgres://ann:sesame@127.0.0.1:1/chat\n");
    let shell = shell.with("CHAT_STORE_FILE", "url");
    for words in ["serve --listen 127.0.0.1:0", "gentoken ann"] {
        let said = shell.run(words);
        said.fails(
            69,
            &["storage is unavailable", "postgres://127.0.0.1:1/chat"],
        );
        assert!(!said.err.contains("sesame") && !said.out.contains("sesame"));
    }
    for words in ["backup copy.db", "verify", "export 1"] {
        shell.run(words).fails(2, &["pg_dump"]);
    }
}

#[test]
fn what_is_wrong_with_certificates_is_told_before_anything_runs() {
    let shell = Shell::new()
        .with_file("chat.pem", include_str!("tls/first.pem"))
        .with_file("chat.key", include_str!("tls/first.key"))
        .with_file("other.key", include_str!("tls/second.key"))
        .with_file("cut.key", "-----BEGIN PRIVATE KEY-----\nMIGH\n")
        .with_file("none.pem", "sesame\n");
    shell
        .run("check-config --tls-cert chat.pem")
        .fails(2, &["--tls-cert: is given without tls_key"]);
    shell
        .run("gentoken ann --tls-key chat.key")
        .fails(2, &["--tls-key: is given without tls_cert"]);
    let wrong = |command: &str, cert: &str, key: &str, words: &[&str]| {
        let said = shell.run(&format!("{command} --tls-cert {cert} --tls-key {key}"));
        said.fails(2, words);
        assert!(!said.err.contains("MIGH"), "{}", said.err);
        assert!(!said.err.contains("sesame"), "{}", said.err);
    };
    for command in ["check-config", "serve --store memory: --listen 127.0.0.1:0"] {
        wrong(command, "no.pem", "chat.key", &["can't read no.pem"]);
        wrong(command, "chat.pem", "no.key", &["can't read no.key"]);
        let empty = &["none.pem holds no certificate"];
        wrong(command, "none.pem", "chat.key", empty);
        wrong(command, "chat.pem", "none.pem", &["holds no private key"]);
        wrong(command, "chat.key", "chat.pem", &["no certificate"]);
        wrong(command, "chat.pem", "cut.key", &["cut.key is not whole"]);
        let unfit = &["other.key is not for the certificate in chat.pem"];
        wrong(command, "chat.pem", "other.key", unfit);
    }
}

#[cfg(unix)]
#[test]
fn a_key_that_everybody_may_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let shell = Shell::new()
        .with_file("chat.pem", include_str!("tls/first.pem"))
        .with_file("chat.key", include_str!("tls/first.key"));
    let check = |mode| {
        let open = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(shell.path().join("chat.key"), open).unwrap();
        let said = shell.run("check-config --tls-cert chat.pem --tls-key chat.key");
        assert_eq!(said.succeeds(), "ok\n");
        said.err
    };
    assert_eq!(check(0o640), "");
    let said = check(0o644);
    let warning = "warning: everybody on this machine may read chat.key";
    assert!(said.contains(warning), "{said}");
}

#[test]
fn no_store_is_made_for_an_account_that_is_not_there() {
    let shell = Shell::new();
    for words in [
        "gentoken ann",
        "user passwd ann",
        "user suspend ann",
        "user erase ann",
    ] {
        shell.run(words).fails(69, &["chat.db", "No such file"]);
    }
    assert_eq!(shell.path().read_dir().unwrap().count(), 0);
}

#[test]
fn a_password_that_is_too_short_is_told_the_bound() {
    Shell::new()
        .with_file("chat.toml", "[server_limits]\npassword_bytes_min = 100\n")
        .run("user add ann")
        .fails(2, &["at least 100 bytes"]);
}

#[test]
fn an_account_in_memory_would_be_gone_at_once() {
    Shell::new()
        .run("user add ann --store memory:")
        .fails(2, &["memory:"]);
    Shell::new()
        .run("gentoken ann --store memory:")
        .fails(2, &["memory:"]);
}

#[test]
fn the_default_configuration_can_be_printed_and_read_back() {
    let shell = Shell::new();
    let printed = shell.run("config default").succeeds().to_owned();
    assert!(printed.contains("\nbody_bytes_max = 16384\n"));
    let said = shell.with_file("chat.toml", &printed).run("check-config");
    assert_eq!((said.succeeds(), said.err.as_str()), ("ok\n", ""));
}

#[test]
fn health_tells_a_ready_server_from_others() {
    let health = |answer: &'static str| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || answer_once(&listener, answer));
        let said = Shell::new().run(&format!("health --listen {address}"));
        (said, server.join().unwrap())
    };
    let (said, asked) = health("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(said.succeeds(), "ready\n");
    assert!(
        asked.starts_with("GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:"),
        "{asked}"
    );
    health("HTTP/1.1 503 Service Unavailable\r\n\r\n")
        .0
        .fails(1, &["503"]);
    health("220 mail.example.org\r\n").0.fails(1, &["no HTTP"]);
    health("").0.fails(1, &["no HTTP"]);
}

#[test]
fn health_of_nobody_is_a_failure_and_an_unknown_port_a_mistake() {
    // A port that was free a moment ago, and that nobody listens on.
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    Shell::new()
        .run(&format!("health --url http://{address}"))
        .fails(1, &["refused"]);
    Shell::new()
        .run("health --listen 127.0.0.1:0")
        .fails(2, &["--url"]);
    Shell::new()
        .run("health --url https://localhost")
        .fails(2, &["--url", "http://"]);
}

/// Takes one request and answers it; returns what was asked.
fn answer_once(listener: &TcpListener, answer: &str) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    let asked = read_head(&mut stream);
    stream.write_all(answer.as_bytes()).unwrap();
    asked
}

fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).unwrap() == 0 {
            break;
        }
        head.extend(byte);
    }
    String::from_utf8(head).unwrap()
}
