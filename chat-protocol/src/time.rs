//! Moments as texts (RFC 3339), for the dialects that write them so.

use chat_core::Timestamp;

/// Writes a moment in UTC, to the second.
///
/// # Examples
///
/// ```
/// use chat_core::Timestamp;
/// use chat_protocol::time::rfc3339;
///
/// assert_eq!(rfc3339(Timestamp::new(1_733_832_000_999)), "2024-12-10T12:00:00Z");
/// ```
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    let mut text = Civil::of(at).text();
    text.push('Z');
    text
}

/// Writes a moment in UTC, to the millisecond.
///
/// # Examples
///
/// ```
/// use chat_core::Timestamp;
/// use chat_protocol::time::rfc3339_ms;
///
/// assert_eq!(rfc3339_ms(Timestamp::new(1_733_832_000_070)), "2024-12-10T12:00:00.070Z");
/// ```
#[must_use]
pub fn rfc3339_ms(at: Timestamp) -> String {
    let whole = Civil::of(at);
    let mut text = whole.text();
    text.push('.');
    push_digits(&mut text, whole.ms, 3);
    text.push('Z');
    text
}

const DAY_MS: u64 = 86_400_000;

/// The last moment whose year has four digits, as RFC 3339 wants them.
const LAST: u64 = 253_402_300_799_999;

/// A moment as calendar and clock show it.
struct Civil {
    year: u64,
    month: u64,
    day: u64,
    /// Since midnight.
    seconds: u64,
    ms: u64,
}

impl Civil {
    fn of(at: Timestamp) -> Self {
        let at = at.number().min(LAST);
        let days = at / DAY_MS;
        // A guess by the mean year, which is never too high once it is one less.
        let mut year = (1970 + days * 400 / 146_097).saturating_sub(1).max(1970);
        while days_before(year + 1) <= days {
            year += 1;
        }
        let mut day = days - days_before(year);
        let mut month = 1;
        while day >= length(year, month) {
            day -= length(year, month);
            month += 1;
        }
        Self {
            year,
            month,
            day: day + 1,
            seconds: at % DAY_MS / 1000,
            ms: at % 1000,
        }
    }

    fn text(&self) -> String {
        let (hour, minute) = (self.seconds / 3600, self.seconds / 60 % 60);
        let mut text = String::with_capacity("9999-12-31T23:59:59.999Z".len());
        push_digits(&mut text, self.year, 4);
        for (mark, number) in [
            ('-', self.month),
            ('-', self.day),
            ('T', hour),
            (':', minute),
            (':', self.seconds % 60),
        ] {
            text.push(mark);
            push_digits(&mut text, number, 2);
        }
        text
    }
}

/// Writes the last digits of a number, so many. A formatter of the standard library takes ten times
/// as long, and a moment stands in every message of two dialects.
fn push_digits(text: &mut String, number: u64, count: u32) {
    for place in (0..count).rev() {
        let digit = u8::try_from(number / 10_u64.pow(place) % 10).unwrap_or_default();
        text.push(char::from(b'0' + digit));
    }
}

/// The days from 1970 to the beginning of a year.
const fn days_before(year: u64) -> u64 {
    365 * (year - 1970) + leaps_before(year) - leaps_before(1970)
}

const fn leaps_before(year: u64) -> u64 {
    let last = year - 1;
    last / 4 - last / 100 + last / 400
}

/// The days of a month.
const fn length(year: u64, month: u64) -> u64 {
    match month {
        2 if leaps_before(year + 1) > leaps_before(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_calendars_show_them() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (68_169_600_000, "1972-02-29T00:00:00.000Z"),
            (94_694_399_999, "1972-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_218_359_970, "2026-11-20T23:45:59.970Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (LAST, "9999-12-31T23:59:59.999Z"),
            (chat_core::NUMBER_MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(rfc3339_ms(Timestamp::new(ms)), text);
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for number in 0..=LAST / DAY_MS {
            let it = Civil::of(Timestamp::new(number * DAY_MS));
            assert_eq!((it.year, it.month, it.day), (year, month, day));
            day += 1;
            if day > length(year, month) {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
        assert_eq!(year, 10_000);
    }
}
