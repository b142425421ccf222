//! Exit codes: one enum, and the rules that choose one.

use crate::error::FailureKind;
use crate::outcome::Tally;
use std::process::ExitCode;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Nothing regressed.
    Ok,
    /// The command line or the configuration makes no sense.
    Usage,
    /// There was nothing to do, or nothing to compare.
    Nothing,
    /// A case became worse.
    Regression,
    /// A case could not be built or measured.
    Failed,
    /// The numbers do not decide, and `--strict` asks for a decision.
    Inconclusive,
    /// A number cannot be trusted.
    Invalid,
    /// Ctrl-C ended it early.
    Interrupted,
}

/// As shells report an interrupt: 128 + SIGINT.
pub const INTERRUPTED: u8 = 130;

/// Shown below `--help`, and in the README.
pub const HELP: &str = "\
Exit codes:
  0    nothing regressed
  2    usage: the command line or the configuration makes no sense
  4    no case selected, nothing to compare with (run: with the record
       that --baseline names), (discover) no cell within the budget, or
       (bisect) no change between the ends; in check also: a case of the
       base is gone, redefined or not comparable, and nobody accepted that;
       in merge also: a part is missing, or the results are not of one check
  100  regression (check, merge, rejudge; run and compare with
       --fail-on-regression); max-memory is broken (memory)
  101  a case could not be built or measured
  102  inconclusive (with --strict); the commit of a change cannot be told
       (bisect)
  103  a number cannot be trusted (check, merge, rejudge; elsewhere with
       --strict)
  130  stopped by Ctrl-C; what was complete is kept";

impl Exit {
    /// The number that the process ends with.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Usage => 2,
            Self::Nothing => 4,
            Self::Regression => 100,
            Self::Failed => 101,
            Self::Inconclusive => 102,
            Self::Invalid => 103,
            Self::Interrupted => INTERRUPTED,
        }
    }

    /// How a command ends that did two things: as the worse of them.
    pub fn and(self, other: Self) -> Self {
        let worst = [
            Self::Interrupted,
            Self::Regression,
            Self::Usage,
            Self::Failed,
            Self::Invalid,
            Self::Nothing,
            Self::Inconclusive,
        ];
        worst.into_iter().find(|exit| self == *exit || other == *exit).unwrap_or(Self::Ok)
    }

    /// How a failure of the whole command ends the process.
    pub fn of(kind: FailureKind) -> Self {
        match kind {
            // A file that was named and is not what it should be is a mistake in the command.
            FailureKind::Usage | FailureKind::Format => Self::Usage,
            FailureKind::Nothing => Self::Nothing,
            FailureKind::Interrupted => Self::Interrupted,
            FailureKind::Build
            | FailureKind::Measure
            | FailureKind::Crash
            | FailureKind::TimedOut
            | FailureKind::OutOfMemory
            | FailureKind::Io => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// What the user wants to hear of in the exit code.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExitPolicy {
    /// Whether a regression fails.
    pub fail_on_regression: bool,
    /// Whether a case whose numbers do not decide fails, too.
    pub strict: bool,
}

impl ExitPolicy {
    /// How a command ends whose cases came to this.
    pub fn exit(self, tally: Tally) -> Exit {
        match tally {
            t if t.interrupted => Exit::Interrupted,
            t if t.regressed > 0 && self.fail_on_regression => Exit::Regression,
            t if t.failed > 0 => Exit::Failed,
            t if t.invalid > 0 && self.strict => Exit::Invalid,
            t if t.gaps > 0 => Exit::Nothing,
            t if t.inconclusive > 0 && self.strict => Exit::Inconclusive,
            _ => Exit::Ok,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_lists_every_code_with_its_number() {
        for exit in [
            Exit::Ok,
            Exit::Usage,
            Exit::Nothing,
            Exit::Regression,
            Exit::Failed,
            Exit::Inconclusive,
            Exit::Invalid,
            Exit::Interrupted,
        ] {
            assert!(
                HELP.lines().any(|l| l.split_whitespace().next() == Some(&exit.code().to_string())),
                "{exit:?}"
            );
        }
    }

    #[test]
    fn of_two_ends_the_worse_counts() {
        assert_eq!(Exit::Ok.and(Exit::Ok), Exit::Ok);
        assert_eq!(Exit::Ok.and(Exit::Failed), Exit::Failed);
        assert_eq!(Exit::Failed.and(Exit::Regression), Exit::Regression);
        assert_eq!(Exit::Interrupted.and(Exit::Regression), Exit::Interrupted);
        assert_eq!(
            Exit::Regression.and(Exit::Usage),
            Exit::Regression,
            "a record that is too large hides none"
        );
        assert_eq!(Exit::Ok.and(Exit::Usage), Exit::Usage);
    }

    #[test]
    fn a_regression_outranks_a_failure_and_needs_its_flag() {
        let t = Tally { regressed: 1, failed: 1, inconclusive: 1, ..Tally::default() };
        let gate = ExitPolicy::default();
        let regression = ExitPolicy { fail_on_regression: true, ..gate };
        assert_eq!(gate.exit(t), Exit::Failed);
        assert_eq!(regression.exit(t), Exit::Regression);
        assert_eq!(gate.exit(Tally { failed: 0, ..t }), Exit::Ok);
        let strict = ExitPolicy { strict: true, ..gate };
        assert_eq!(strict.exit(Tally { failed: 0, ..t }), Exit::Inconclusive);
        let gap = Tally { gaps: 1, ..t };
        assert_eq!(regression.exit(gap), Exit::Regression);
        assert_eq!(gate.exit(gap), Exit::Failed);
        assert_eq!(strict.exit(Tally { failed: 0, invalid: 1, ..gap }), Exit::Invalid);
        assert_eq!(strict.exit(Tally { failed: 0, ..gap }), Exit::Nothing);
        assert_eq!(regression.exit(Tally { interrupted: true, ..t }), Exit::Interrupted);
    }
}
