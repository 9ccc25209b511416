//! What a typed line means.

/// One line of a person.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// Words for the current room.
    Words(&'a str),
    Rooms,
    Create(&'a str),
    Join {
        room: &'a str,
        password: Option<&'a str>,
    },
    Switch(&'a str),
    Leave,
    History(u64),
    Who,
    Nick(&'a str),
    Away(&'a str),
    Back,
    Me,
    Help,
    Quit,
    Nothing,
    /// Something that begins with a slash and is none of these.
    Unclear,
}

/// What `/help` prints.
pub(crate) const HELP: &str = "\
/rooms                   my rooms, and those of the directory
/create NAME             make a room and be in it
/join ROOM [PASSWORD]    enter a room, by its name or number
/switch ROOM             talk in another room of mine
/leave                   leave the current room
/history [N]             the last messages of the current room
/who                     who is present in it
/me                      who I am, and where
/me nick NAME            be called so in this room
/me away [WORDS]         tell the others that I am away
/me back                 tell them that I am here
/quit                    end
//words                  say something that begins with a slash
Times are UTC.";

const HISTORY: u64 = 20;

impl<'a> Line<'a> {
    pub(crate) fn read(line: &'a str) -> Self {
        if line.trim().is_empty() {
            return Self::Nothing;
        }
        let Some(command) = line.strip_prefix('/') else {
            return Self::Words(line);
        };
        if command.starts_with('/') {
            return Self::Words(command);
        }
        let (word, rest) = split(command);
        match (word, rest) {
            ("rooms", "") => Self::Rooms,
            ("create", name) if !name.is_empty() => Self::Create(name),
            ("join", rest) if !rest.is_empty() => {
                let (room, password) = split(rest);
                Self::Join {
                    room,
                    password: Some(password).filter(|it| !it.is_empty()),
                }
            }
            ("switch", room) if !room.is_empty() => Self::Switch(room),
            ("leave", "") => Self::Leave,
            ("history", "") => Self::History(HISTORY),
            ("history", count) => count.parse().map_or(Self::Unclear, Self::History),
            ("who", "") => Self::Who,
            ("me", rest) => match split(rest) {
                ("", "") => Self::Me,
                ("nick", name) if !name.is_empty() => Self::Nick(name),
                ("away", words) => Self::Away(words),
                ("back", "") => Self::Back,
                _ => Self::Unclear,
            },
            ("help", _) => Self::Help,
            ("quit", _) => Self::Quit,
            _ => Self::Unclear,
        }
    }
}

/// The first word, and the rest.
fn split(text: &str) -> (&str, &str) {
    let (word, rest) = text
        .trim()
        .split_once(char::is_whitespace)
        .unwrap_or((text.trim(), ""));
    (word, rest.trim_start())
}

#[cfg(test)]
mod tests {
    use super::Line;

    #[test]
    fn a_line_is_words_or_a_command() {
        let join = |room, password| Line::Join { room, password };
        for (typed, meant) in [
            ("hello /join", Line::Words("hello /join")),
            ("//join", Line::Words("/join")),
            ("  שלום", Line::Words("  שלום")),
            ("/join den", join("den", None)),
            ("/join  den open sesame ", join("den", Some("open sesame"))),
            ("/create my den", Line::Create("my den")),
            ("/history", Line::History(20)),
            ("/history 5", Line::History(5)),
            ("/history five", Line::Unclear),
            ("/me nick Annie", Line::Nick("Annie")),
            ("/me", Line::Me),
            ("/join", Line::Unclear),
            ("/jion den", Line::Unclear),
            (" \t", Line::Nothing),
        ] {
            assert_eq!(Line::read(typed), meant, "{typed}");
        }
    }
}
