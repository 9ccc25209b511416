//! Why a socket closes, and whether to come back.

macro_rules! closes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $why:literal;)*) => {
        /// Why the native dialect closes a socket.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Close {
            $($(#[$doc])* $name,)*
        }

        impl Close {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The WebSocket close code.
            #[must_use]
            pub const fn code(self) -> u16 {
                match self { $(Self::$name => $code,)* }
            }

            /// The reason in words.
            #[must_use]
            pub const fn why(self) -> &'static str {
                match self { $(Self::$name => $why,)* }
            }

            /// Whose code this is.
            #[must_use]
            pub const fn from_code(code: u16) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

closes! {
    /// The server stops.
    ShuttingDown = 4000, "shutting down";
    /// The reader can't keep up.
    Lagging = 4002, "lagging";
    /// A ping stayed without an answer.
    NoPong = 4003, "no pong";
    /// The token's time is over.
    TokenExpired = 4004, "token expired";
    /// Far too many frames.
    RateLimited = 4005, "rate limited";
    /// A fault of the server's.
    Internal = 4006, "internal error";
    /// The client doesn't speak the protocol.
    BadProtocol = 4500, "bad protocol";
    /// Nobody said who he is.
    Unauthenticated = 4501, "unauthenticated";
    /// Pages of this origin aren't welcome.
    OriginRefused = 4502, "origin refused";
    /// The account is suspended.
    Suspended = 4503, "suspended";
    /// The client speaks another version.
    Version = 4505, "unknown version";
    /// The user has too many sessions.
    TooManySessions = 4506, "too many sessions";
    /// A frame over the frame limit.
    FrameTooLarge = 4507, "frame too large";
    /// The user is in more rooms than can be listened to at once.
    TooManyRooms = 4508, "too many rooms";
}

impl Close {
    /// Whether a client comes back: under 4500.
    #[must_use]
    pub const fn reconnect(self) -> bool {
        may_reconnect(self.code())
    }

    /// The WebSocket's own code that comes closest (RFC 6455, section 7.4.1), for everybody who
    /// doesn't speak the native dialect.
    #[must_use]
    pub const fn plain_code(self) -> u16 {
        match self {
            Self::ShuttingDown | Self::NoPong => 1001,
            Self::Lagging => 1013,
            Self::Internal => 1011,
            Self::BadProtocol | Self::Version => 1007,
            Self::FrameTooLarge => 1009,
            Self::TokenExpired
            | Self::RateLimited
            | Self::Unauthenticated
            | Self::OriginRefused
            | Self::Suspended
            | Self::TooManySessions
            | Self::TooManyRooms => 1008,
        }
    }
}

/// Whether a client comes back after this close code, be it ours or any other.
#[must_use]
pub const fn may_reconnect(code: u16) -> bool {
    code < 4500
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_that_passes_means_come_back() {
        assert!(Close::ShuttingDown.reconnect() && Close::Lagging.reconnect());
        assert!(!Close::BadProtocol.reconnect() && !Close::FrameTooLarge.reconnect());
        assert_eq!(Close::from_code(1006), None);
    }

    #[test]
    fn who_does_not_speak_native_hears_the_websocket_s_own_code() {
        let (going, invalid, policy, too_big) = (1001, 1007, 1008, 1009);
        let (failed, later) = (1011, 1013);
        for (close, code) in [
            (Close::ShuttingDown, going),
            (Close::NoPong, going),
            (Close::BadProtocol, invalid),
            (Close::Version, invalid),
            (Close::Unauthenticated, policy),
            (Close::Suspended, policy),
            (Close::TooManySessions, policy),
            (Close::FrameTooLarge, too_big),
            (Close::Internal, failed),
            (Close::Lagging, later),
        ] {
            assert_eq!(close.plain_code(), code, "{close:?}");
        }
    }
}
