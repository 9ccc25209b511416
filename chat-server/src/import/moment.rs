//! Moments, as other servers write them.

use chat_core::Timestamp;
use serde_json::Value;

/// A moment: milliseconds since 1970 as a number or its digits, a time of RFC 3339, or either of
/// them in the wrapping of a MongoDB export.
pub(super) fn read(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(number) => milliseconds(number.as_u64()?),
        Value::String(text) => match text.parse() {
            Ok(number) => milliseconds(number),
            Err(_) => rfc_3339(text),
        },
        Value::Object(object) if object.len() == 1 => {
            let inner = object.get("$date").or_else(|| object.get("$numberLong"))?;
            // One wrapping within the other is the most there is.
            read(inner)
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn milliseconds(number: u64) -> Option<Timestamp> {
    Timestamp::try_from(number).ok().filter(|_| number > 0)
}

/// `2024-12-10T12:00:00.5+01:00` (RFC 3339, section 5.6); a blank may stand for the T, and an offset
/// may lack its minutes, as databases write it.
fn rfc_3339(text: &str) -> Option<Timestamp> {
    let mut rest = Rest(text.as_bytes());
    let year = rest.digits(4)?;
    let month = rest.after(b"-")?.digits(2)?;
    let day = rest.after(b"-")?.digits(2)?;
    let hour = rest.after(b"Tt ")?.digits(2)?;
    let minute = rest.after(b":")?.digits(2)?;
    let second = rest.after(b":")?.digits(2)?;
    let ms = if rest.after(b".").is_some() {
        rest.fraction()?
    } else {
        0
    };
    let offset = rest.offset()?;
    let in_range = (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        // A leap second is the one after.
        && second <= 60;
    if !in_range || !rest.0.is_empty() {
        return None;
    }
    let seconds = days_before(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    let ms = (seconds - offset * 60).checked_mul(1_000)? + ms;
    milliseconds(u64::try_from(ms).ok()?)
}

/// What is left to read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        number(digits)
    }

    /// Passes one of these, if one of them is next.
    fn after(&mut self, any: &[u8]) -> Option<&mut Self> {
        let (first, rest) = self.0.split_first()?;
        if !any.contains(first) {
            return None;
        }
        self.0 = rest;
        Some(self)
    }

    /// Milliseconds; what is finer is left out.
    fn fraction(&mut self) -> Option<i64> {
        let count = self.0.iter().take_while(|it| it.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        let mut ms = 0;
        let padded = digits.iter().chain(std::iter::repeat(&b'0'));
        for digit in padded.take(3) {
            ms = ms * 10 + i64::from(digit - b'0');
        }
        (count > 0).then_some(ms)
    }

    /// Minutes east of Greenwich.
    fn offset(&mut self) -> Option<i64> {
        if self.after(b"Zz").is_some() {
            return Some(0);
        }
        let east = self.0.first() == Some(&b'+');
        let hours = self.after(b"+-")?.digits(2)?;
        self.after(b":");
        let minutes = if self.0.is_empty() {
            0
        } else {
            self.digits(2)?
        };
        let offset = hours * 60 + minutes;
        (hours < 24 && minutes < 60).then_some(if east { offset } else { -offset })
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    let mut number = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number * 10 + i64::from(digit - b'0');
    }
    Some(number)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// The days from 1970 to this one.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let past = year - 1;
    // From the year 1 on, of which 719 162 days lie before 1970.
    let years = past * 365 + past / 4 - past / 100 + past / 400 - 719_162;
    let months: i64 = (1..month).map(|month| days_of(year, month)).sum();
    years + months + day - 1
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ms(value: &Value) -> Option<u64> {
        read(value).map(Timestamp::number)
    }

    #[test]
    fn moments_are_read_as_servers_and_databases_write_them() {
        for (value, expected) in [
            (json!(1_733_832_000_123_u64), 1_733_832_000_123),
            (json!("1733832000123"), 1_733_832_000_123),
            (json!("2024-12-10T12:00:00Z"), 1_733_832_000_000),
            (json!("2024-12-10t12:00:00.1239z"), 1_733_832_000_123),
            (json!("2024-12-10T13:30:00.5+01:30"), 1_733_832_000_500),
            (json!("2024-12-10 04:00:00.123456-08"), 1_733_832_000_123),
            (json!("2023-10-30T15:47:33.246704222Z"), 1_698_680_853_246),
            (json!("2000-02-29T00:00:00Z"), 951_782_400_000),
            (json!("1970-01-02T00:00:00Z"), 86_400_000),
            (json!({"$date": "2024-12-10T12:00:00Z"}), 1_733_832_000_000),
            (
                json!({"$date": {"$numberLong": "1733832000123"}}),
                1_733_832_000_123,
            ),
        ] {
            assert_eq!(ms(&value), Some(expected), "{value}");
        }
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for value in [
            json!(null),
            json!(-1),
            json!(0),
            json!(1.5),
            json!(u64::MAX),
            json!(""),
            json!("yesterday"),
            json!("2024-12-10"),
            json!("2024-12-10T12:00:00"),
            json!("2024-12-10T12:00:00.Z"),
            json!("2024-12-10T12:00:00Zulu"),
            json!("2024-13-10T12:00:00Z"),
            json!("2023-02-29T12:00:00Z"),
            json!("2024-12-10T24:00:00Z"),
            json!("2024-12-1\u{663}T12:00:00Z"),
            json!("1969-12-31T23:59:59Z"),
            json!("0000-01-01T00:00:00Z"),
            json!({"$date": {"$date": null}}),
            json!([1]),
        ] {
            assert_eq!(ms(&value), None, "{value}");
        }
    }
}
