//! Records, and parts of them, within files that are no records. There numbers keep all their digits, so that a verdict can
//! be computed again to the last one; a whole record keeps the digits that its own file has.

use super::{CaseV1, DeviceV1, RecordV1};
use super::{case_from_wire, case_to_wire, device_from_wire, device_to_wire, from_wire, to_wire};
use crate::record::{CaseRecord, Record, RecordDevice};

impl From<CaseRecord> for CaseV1 {
    fn from(case: CaseRecord) -> Self {
        case_to_wire(&case, |value| value)
    }
}

impl From<CaseV1> for CaseRecord {
    fn from(wire: CaseV1) -> Self {
        case_from_wire(wire)
    }
}

impl From<RecordDevice> for DeviceV1 {
    fn from(device: RecordDevice) -> Self {
        device_to_wire(&device)
    }
}

impl TryFrom<DeviceV1> for RecordDevice {
    type Error = String;

    fn try_from(wire: DeviceV1) -> Result<Self, String> {
        device_from_wire(wire)
    }
}

impl From<Record> for RecordV1 {
    fn from(record: Record) -> Self {
        to_wire(&record)
    }
}

impl TryFrom<RecordV1> for Record {
    type Error = String;

    fn try_from(wire: RecordV1) -> Result<Self, String> {
        from_wire(wire)
    }
}
