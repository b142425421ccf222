//! What a report of Nsight Systems holds that is looked at here: ranges, calls of the driver, kernels, copies. Read from its
//! SQLite export; the columns that are read have been the same from schema 3.7 to 3.24.
//!
//! A table that has no row is not in the file. Rows come in any order, so each list is sorted.

use super::sqlite::{Database, SqlValue};
use std::collections::{BTreeMap, HashMap};

/// A range that a program or a library marked with NVTX, with its end. Times are nanoseconds since the recording began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NvtxRange {
    /// When it began.
    pub start: i64,
    /// When it ended.
    pub end: i64,
    /// The thread that began it.
    pub thread: i64,
    /// The name of its domain; empty for the one without a name.
    pub domain: String,
    /// Its own name.
    pub name: String,
}

/// A call of the driver that put something on the GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DriverCall {
    /// When it began.
    pub start: i64,
    /// The thread that made it.
    pub thread: i64,
}

/// One execution of a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelRun {
    /// When it began.
    pub start: i64,
    /// When it ended.
    pub end: i64,
    /// Its name without parameters.
    pub name: String,
    /// The GPU, as CUDA numbers them.
    pub device: i64,
    /// The CUDA stream.
    pub stream: i64,
    /// The call that launched it, or that put it into its graph; `None` where the report does not tell.
    pub call: Option<DriverCall>,
    /// Whether a CUDA graph launched it.
    pub in_graph: bool,
}

/// One copy between host and GPU, or on the GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyRun {
    /// When it began.
    pub start: i64,
    /// When it ended.
    pub end: i64,
    /// How much.
    pub bytes: i64,
    /// From where to where.
    pub direction: CopyDirection,
    /// The GPU, as CUDA numbers them.
    pub device: i64,
    /// The CUDA stream.
    pub stream: i64,
}

/// From where to where something is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CopyDirection {
    /// From the host to the GPU.
    ToGpu,
    /// From the GPU to the host.
    ToHost,
    /// Any other way.
    Other,
}

impl CopyDirection {
    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Self::ToGpu => "copy to the GPU",
            Self::ToHost => "copy to the host",
            Self::Other => "copy",
        }
    }
}

/// What a report holds, each list sorted by its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NsysTrace {
    /// The version of the tables, such as `3.20.2`; empty where it is not told.
    pub schema: String,
    /// Ranges that have an end.
    pub ranges: Vec<NvtxRange>,
    /// Kernels.
    pub kernels: Vec<KernelRun>,
    /// Copies.
    pub copies: Vec<CopyRun>,
    /// Whether there are CUDA graphs that were recorded as a whole, without their kernels.
    pub whole_graphs: bool,
}

/// The kinds of NVTX events: push and pop, start and end, the name of a domain.
const PUSH_POP: i64 = 59;
const START_END: i64 = 60;
const DOMAIN: i64 = 75;

impl NsysTrace {
    /// Reads the export of a report. Says what is wrong with a file that is none.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let database = Database::open(bytes)?;
        let facts = database.rows("META_DATA_EXPORT", &["name", "value"])?;
        let Some(facts) = facts else {
            return Err(
                "is a SQLite database, but no export of Nsight Systems (no table META_DATA_EXPORT)".into()
            );
        };
        let schema = facts.iter().find(|row| row[0].text() == Some("EXPORT_SCHEMA_VERSION"));
        let schema = schema.and_then(|row| row[1].text()).unwrap_or_default().to_owned();
        let strings = strings(&database)?;
        let whole_graphs = database.rows("CUPTI_ACTIVITY_KIND_GRAPH_TRACE", &["start"])?;
        Ok(Self {
            schema,
            ranges: ranges(&database, &strings)?,
            kernels: kernels(&database, &strings)?,
            copies: copies(&database)?,
            whole_graphs: whole_graphs.is_some_and(|rows| !rows.is_empty()),
        })
    }
}

type Strings = HashMap<i64, String>;

fn strings(database: &Database) -> Result<Strings, String> {
    let rows = database.rows("StringIds", &["id", "value"])?.unwrap_or_default();
    Ok(rows.into_iter().filter_map(|row| Some((row[0].int()?, row[1].text()?.to_owned()))).collect())
}

fn ranges(database: &Database, strings: &Strings) -> Result<Vec<NvtxRange>, String> {
    let columns = ["eventType", "start", "end", "globalTid", "domainId", "text", "textId"];
    let rows = database.rows("NVTX_EVENTS", &columns)?.unwrap_or_default();
    let name = |row: &[SqlValue]| {
        let text = row[5].text().map(str::to_owned);
        text.or_else(|| strings.get(&row[6].int()?).cloned()).unwrap_or_default()
    };
    // A domain's number counts in its process.
    let domain = |row: &[SqlValue]| Some((process_of(row[3].int()?), row[4].int()?));
    let domains: BTreeMap<_, String> = rows
        .iter()
        .filter(|row| row[0].int() == Some(DOMAIN))
        .filter_map(|row| Some((domain(row)?, name(row))))
        .collect();
    let mut ranges: Vec<NvtxRange> = rows
        .iter()
        .filter(|row| row[0].int().is_some_and(|kind| kind == PUSH_POP || kind == START_END))
        .filter_map(|row| {
            Some(NvtxRange {
                start: row[1].int()?,
                end: row[2].int()?,
                thread: row[3].int()?,
                domain: domain(row).and_then(|d| domains.get(&d).cloned()).unwrap_or_default(),
                name: name(row),
            })
        })
        .collect();
    // Of two that begin together the longer one is the outer one.
    ranges.sort_by(|a, b| (a.start, b.end, &a.name).cmp(&(b.start, a.end, &b.name)));
    Ok(ranges)
}

/// The process of a thread, as a report numbers both: the thread's own bits are the last 24.
fn process_of(thread: i64) -> i64 {
    thread & !0xff_ffff
}

fn kernels(database: &Database, strings: &Strings) -> Result<Vec<KernelRun>, String> {
    let columns =
        ["start", "end", "shortName", "deviceId", "streamId", "correlationId", "globalPid", "graphNodeId"];
    let Some(rows) = database.rows("CUPTI_ACTIVITY_KIND_KERNEL", &columns)? else { return Ok(Vec::new()) };
    let calls = calls(database)?;
    let nodes = nodes(database)?;
    let mut kernels: Vec<KernelRun> = rows
        .iter()
        .filter_map(|row| {
            let process = process_of(row[6].int().unwrap_or(0));
            let node = row[7].int();
            // A graph's launch is one call for all its kernels: what tells of a kernel is how it came into the graph.
            let call = match node {
                Some(node) => nodes.get(&(process, node)),
                None => row[5].int().and_then(|id| calls.get(&(process, id))),
            };
            Some(KernelRun {
                start: row[0].int()?,
                end: row[1].int()?,
                name: strings.get(&row[2].int()?).cloned().unwrap_or_default(),
                device: row[3].int().unwrap_or(0),
                stream: row[4].int().unwrap_or(0),
                call: call.copied(),
                in_graph: node.is_some(),
            })
        })
        .collect();
    kernels.sort_by(|a, b| (a.start, a.end, &a.name).cmp(&(b.start, b.end, &b.name)));
    Ok(kernels)
}

/// Calls of the driver by process and correlation id, which counts in its process.
fn calls(database: &Database) -> Result<HashMap<(i64, i64), DriverCall>, String> {
    let columns = ["start", "globalTid", "correlationId"];
    let rows = database.rows("CUPTI_ACTIVITY_KIND_RUNTIME", &columns)?.unwrap_or_default();
    Ok(rows
        .iter()
        .filter_map(|row| {
            let (start, thread) = (row[0].int()?, row[1].int()?);
            Some(((process_of(thread), row[2].int()?), DriverCall { start, thread }))
        })
        .collect())
}

/// How the nodes of graphs came to be, by process and node. An executable graph has nodes of its own, which name those of
/// the graph that was captured: these were made when the layer was enqueued.
fn nodes(database: &Database) -> Result<HashMap<(i64, i64), DriverCall>, String> {
    let columns = ["start", "globalTid", "graphNodeId", "originalGraphNodeId"];
    let rows = database.rows("CUDA_GRAPH_EVENTS", &columns)?.unwrap_or_default();
    let mut made = HashMap::new();
    let mut copies = Vec::new();
    for row in &rows {
        if let (Some(start), Some(thread), Some(node)) = (row[0].int(), row[1].int(), row[2].int()) {
            let process = process_of(thread);
            made.insert((process, node), DriverCall { start, thread });
            copies.extend(row[3].int().map(|original| ((process, node), (process, original))));
        }
    }
    let originals: Vec<_> =
        copies.into_iter().filter_map(|(copy, original)| Some((copy, *made.get(&original)?))).collect();
    made.extend(originals);
    Ok(made)
}

fn copies(database: &Database) -> Result<Vec<CopyRun>, String> {
    let columns = ["start", "end", "bytes", "copyKind", "deviceId", "streamId"];
    let rows = database.rows("CUPTI_ACTIVITY_KIND_MEMCPY", &columns)?.unwrap_or_default();
    let mut copies: Vec<CopyRun> = rows
        .iter()
        .filter_map(|row| {
            Some(CopyRun {
                start: row[0].int()?,
                end: row[1].int()?,
                bytes: row[2].int().unwrap_or(0),
                direction: match row[3].int() {
                    Some(1) => CopyDirection::ToGpu,
                    Some(2) => CopyDirection::ToHost,
                    _ => CopyDirection::Other,
                },
                device: row[4].int().unwrap_or(0),
                stream: row[5].int().unwrap_or(0),
            })
        })
        .collect();
    copies.sort_by_key(|copy| (copy.start, copy.end));
    Ok(copies)
}
