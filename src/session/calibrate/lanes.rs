//! One session of several lanes: each alone, then all side by side, or the other way round.

use super::{Amount, one};
use crate::calibration::lanes::LaneSession;
use crate::case::Case;
use crate::engine::Built;
use crate::error::Result;
use crate::session::context::Session;
use crate::session::lanes::{Lane, at_once};

/// Measures a case on every lane.
pub(super) fn session_of_lanes(
    session: &Session,
    case: &Case,
    built: &[Built; 2],
    amount: Amount,
    (number, alone_first): (usize, bool),
) -> Result<LaneSession> {
    let lanes = session.lanes.all;
    let on = |lane: &Lane, how: &str| {
        let folder = format!("{how}-on-{}", lane.number);
        one(session, &lane.given(case), built, amount, number, &folder)
    };
    let alone = || lanes.iter().map(|lane| on(lane, "alone")).collect::<Result<Vec<_>>>();
    let together = || {
        at_once(lanes, |place, lane| {
            // As in a session of many cases, a lane loads its engine while another measures.
            std::thread::sleep(case.effort.measure.duration().mul_f64(place as f64 / lanes.len() as f64));
            on(lane, "beside-others")
        })
    };
    let [alone, together] = if alone_first {
        let alone = alone()?;
        [alone, together()?]
    } else {
        let together = together()?;
        [alone()?, together]
    };
    let lanes = alone.into_iter().zip(together).map(|(alone, together)| [alone, together]).collect();
    Ok(LaneSession { alone_first, lanes })
}
