//! What a name, a handle and an e-mail address of an account may be.

use chat_core::{BadName, Limits, Name};

use crate::auth::error::AuthError;

/// Checks the name or handle of an account. Neither contains an `@`, so neither is ever taken for
/// an e-mail address.
pub(super) fn name(field: &'static str, text: &str) -> Result<Name, AuthError> {
    let name = Name::new(text).map_err(|bad| AuthError::BadArgument {
        field,
        why: match bad {
            BadName::Empty => "may not be empty",
            BadName::TooLong => "is too long",
            BadName::HiddenCharacter => "contains a character that can't be seen",
            BadName::TooManyMarks => "has too many marks on one character",
        },
    })?;
    if name.chars() > Limits::default().name_chars_max {
        return Err(AuthError::BadArgument {
            field,
            why: "is too long",
        });
    }
    if name.as_str().contains('@') || name.skeleton().contains('@') {
        return Err(AuthError::BadArgument {
            field,
            why: "may not contain an @",
        });
    }
    Ok(name)
}

/// Checks an e-mail address: something, an `@`, something.
pub(crate) fn email(text: &str) -> Result<String, AuthError> {
    let text = text.trim();
    let is_plain = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    let has_sides = text
        .split_once('@')
        .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'));
    // RFC 5321, section 4.5.3.1.3, less the angle brackets.
    if is_plain && has_sides && text.len() <= 254 {
        Ok(text.to_owned())
    } else {
        Err(AuthError::BadArgument {
            field: "email",
            why: "is not an e-mail address",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_never_taken_for_addresses() {
        assert!(name("name", "ann").is_ok());
        for text in ["ann@example.org", "@", "ann\u{ff20}home", "", "a\u{202e}b"] {
            assert!(name("name", text).is_err(), "{text:?}");
        }
        assert!(name("name", &"x".repeat(80)).is_ok());
        assert!(name("name", &"x".repeat(81)).is_err());
    }

    #[test]
    fn addresses_have_two_sides() {
        assert_eq!(email(" ann@example.org ").unwrap(), "ann@example.org");
        for text in ["", "ann", "@", "ann@", "@home", "a@b@c", "a b@c", "a\n@b"] {
            assert!(email(text).is_err(), "{text:?}");
        }
    }
}
