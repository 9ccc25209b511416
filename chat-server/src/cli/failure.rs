//! What can end the program, each with its exit code.

use std::process::ExitCode;

use crate::config::ConfigError;
use crate::logs::LogError;
use crate::store::StoreError;

use crate::RunError;

/// Why the program ends without having done what was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The configuration makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It didn't work out.
    #[error("{0}")]
    Failed(String),
    /// There is no log.
    #[error("can't log: {0}")]
    Log(#[from] LogError),
    /// Somebody else has the store: a person hears what to do about it.
    #[error("{0}; a server that runs on it has to be stopped first, or asked (user suspend --at)")]
    Locked(StoreError),
    /// The store refused.
    #[error(transparent)]
    Store(StoreError),
    /// The server could not start, or stopped.
    #[error(transparent)]
    Run(RunError),
}

impl Failure {
    /// The exit code that says which kind of failure it was.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed(_) | Self::Log(_) | Self::Run(_) => FAILED,
            Self::Usage(_) | Self::Config(_) => USAGE,
            Self::Store(StoreError::Damaged(_)) => DAMAGED,
            Self::Store(StoreError::Unavailable(_) | StoreError::Newer { .. }) => UNAVAILABLE,
            Self::Locked(_) | Self::Store(StoreError::Locked(_)) => LOCKED,
        })
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Locked(_) => Self::Locked(error),
            StoreError::Damaged(_) | StoreError::Unavailable(_) | StoreError::Newer { .. } => {
                Self::Store(error)
            }
        }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Store(error) => error.into(),
            RunError::Tls(error) => Self::Config(error.into()),
            RunError::Bus(_)
            | RunError::Listen { .. }
            | RunError::Thread(_)
            | RunError::Group { .. } => Self::Run(error),
        }
    }
}

/// Something failed while it ran, a taken port included.
const FAILED: u8 = 1;
/// Wrong arguments or configuration.
const USAGE: u8 = 2;
/// `EX_DATAERR` of sysexits.h.
const DAMAGED: u8 = 65;
/// `EX_UNAVAILABLE`.
const UNAVAILABLE: u8 = 69;
/// `EX_CANTCREAT`.
const LOCKED: u8 = 73;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_failure_has_its_exit_code() {
        let code = |failure: Failure| format!("{:?}", failure.exit_code());
        let is = |code: u8| format!("{:?}", ExitCode::from(code));
        assert_eq!(code(StoreError::Damaged("row 3".into()).into()), is(65));
        assert_eq!(
            code(StoreError::Newer { found: 2, known: 1 }.into()),
            is(69)
        );
        assert_eq!(code(StoreError::Unavailable("gone".into()).into()), is(69));
        let locked = || StoreError::Locked("chat.db".into());
        assert_eq!(code(locked().into()), is(73));
        assert_eq!(code(RunError::Store(locked()).into()), is(73));
        assert!(Failure::from(locked()).to_string().contains("stopped"));
        assert_eq!(code(ConfigError::new("--store", "none").into()), is(2));
        assert_eq!(
            code(RunError::Thread(std::io::Error::other("none")).into()),
            is(1)
        );
    }
}
