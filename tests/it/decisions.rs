use crate::support::cases::Checks;
