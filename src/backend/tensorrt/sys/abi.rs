//! TensorRT's binary interface as plain data: families, releases, and which slot of which table a function is in.
//!
//! NVIDIA's headers are inline wrappers around virtual calls, so one binary can call every installed version through
//! those tables. Within a family they only ever grew at the end; calling a slot newer than the opened
//! library would crash.
//!
//! Invariant: a slot's number comes from [`Method::slot`] alone, which refuses what the opened library does not have.

use crate::engine::TEST_LIBRARY;
use crate::error::{Failure, FailureKind, Result};
use std::ffi::{c_char, c_void};
use std::fmt;
use std::marker::PhantomData;

/// The object a method is called on.
pub type This = *mut c_void;
/// Another object of the library, or one of ours that it calls.
pub type ObjectPointer = *mut c_void;
/// Memory, on the host or the device.
pub type Bytes = *mut c_void;
/// A text that ends in a zero byte.
pub type Text = *const c_char;
/// Several texts.
pub type Texts = *const Text;
/// A `cudaStream_t` or a `cudaEvent_t`.
pub type StreamHandle = *mut c_void;

/// `nvinfer1::Dims64`, which is passed by address and returned by value.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dims {
    /// How many dimensions there are; -1 where there is no such tensor.
    pub count: i32,
    /// The extents; only the first `count` are used.
    pub extents: [i64; Dims::MAX],
}

impl Dims {
    /// The most dimensions that TensorRT has.
    pub const MAX: usize = 8;

    /// `None` where there are more dimensions than TensorRT has.
    pub fn new(extents: &[i64]) -> Option<Self> {
        let mut dims = Self { count: i32::try_from(extents.len()).ok()?, extents: [0; Self::MAX] };
        dims.extents.get_mut(..extents.len())?.copy_from_slice(extents);
        Some(dims)
    }

    /// Empty where the count is -1, which is how the library says that there is no such tensor.
    pub fn as_slice(&self) -> &[i64] {
        self.extents.get(..usize::try_from(self.count).unwrap_or(0)).unwrap_or(&[])
    }
}

/// `nvinfer1::InterfaceInfo`: what an object of ours says it is.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct InterfaceInfo {
    /// The name of the interface.
    pub kind: Text,
    /// Its major version.
    pub major: i32,
    /// Its minor version.
    pub minor: i32,
}

/// Releases that share their tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// TensorRT 10.
    Trt10,
    /// TensorRT 11.
    Trt11,
    /// TensorRT-RTX 1.
    Rtx1,
}

impl Family {
    /// Every family, in the order of the tables.
    pub const ALL: [Self; 3] = [Self::Trt10, Self::Trt11, Self::Rtx1];

    /// As NVIDIA calls it.
    pub fn product(self) -> &'static str {
        if self == Self::Rtx1 { "TensorRT-RTX" } else { "TensorRT" }
    }

    fn column(self) -> usize {
        match self {
            Self::Trt10 => 0,
            Self::Trt11 => 1,
            Self::Rtx1 => 2,
        }
    }

    /// The first and the last release whose headers were read. Later ones of the same major version only add.
    pub fn releases(self) -> ((u32, u32), (u32, u32)) {
        match self {
            Self::Trt10 => ((10, 0), (10, 16)),
            Self::Trt11 => ((11, 0), (11, 4)),
            // 1.3 and 1.4 have other tables.
            Self::Rtx1 => ((1, 5), (1, 7)),
        }
    }

    /// The versions that work, for messages.
    pub fn supported() -> String {
        let ranges = [Self::Trt10, Self::Trt11, Self::Rtx1].map(|f| {
            let ((major, first), (_, last)) = f.releases();
            format!("{} {major}.{first} to {major}.{last}", f.product())
        });
        ranges.join(", ")
    }
}

/// A version as the library says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LibraryVersion {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
    /// The third number.
    pub patch: u32,
    /// The build number; 0 where the library does not tell it.
    pub build: u32,
}

impl fmt::Display for LibraryVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}.{}", self.major, self.minor, self.patch, self.build)
    }
}

/// The build number by which the library of our own tests says what it is. NVIDIA's count from 1 with each release.
pub const TEST_LIBRARY_BUILD: u32 = 1_952_805_748;

/// What was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// Whose tables it has.
    pub family: Family,
    /// The version that the library gave.
    pub version: LibraryVersion,
    /// The lean runtime: it loads version-compatible plans and has no builder.
    pub lean: bool,
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lean = if self.lean { " lean runtime" } else { "" };
        if self.is_test_library() {
            let LibraryVersion { major, minor, patch, .. } = self.version;
            let product = self.family.product();
            return write!(f, "{TEST_LIBRARY} in the shape of {product}{lean} {major}.{minor}.{patch}");
        }
        write!(f, "{}{lean} {}", self.family.product(), self.version)
    }
}

impl Release {
    /// Whether it is at least `major.minor` of its family.
    pub fn has(&self, since: (u32, u32)) -> bool {
        (self.version.major, self.version.minor) >= since
    }

    /// Whether it only imitates TensorRT, for our own tests. Its engines compute nothing, so no number of theirs
    /// counts.
    pub fn is_test_library(&self) -> bool {
        self.version.build == TEST_LIBRARY_BUILD
    }
}

/// A place in a family's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The position in the table, from 0.
    pub index: usize,
    /// The release that brought it; (0, 0) where the family always had it.
    pub since: (u32, u32),
}

/// A virtual function whose C signature is `F`.
pub struct Method<F> {
    interface: &'static str,
    name: &'static str,
    slots: [Option<Slot>; 3],
    signature: PhantomData<F>,
}

impl<F> Method<F> {
    /// A function with its slot in each family, in the order of [`Family::ALL`].
    pub const fn new(interface: &'static str, name: &'static str, slots: [Option<Slot>; 3]) -> Self {
        Self { interface, name, slots, signature: PhantomData }
    }

    /// Where the opened library has it; otherwise which version would.
    pub fn slot(&self, release: &Release) -> Result<usize> {
        match self.slots[release.family.column()] {
            Some(slot) if release.has(slot.since) => Ok(slot.index),
            newer => Err(self.missing(release, newer)),
        }
    }

    /// Where a table of ours must hold it, of whatever release: what the library does not know, it does not call.
    pub fn index(&self, family: Family) -> Option<usize> {
        self.slots[family.column()].map(|s| s.index)
    }

    fn missing(&self, release: &Release, newer: Option<Slot>) -> Failure {
        let from = match newer {
            Some(slot) => {
                format!("{} {}.{} or later", release.family.product(), slot.since.0, slot.since.1)
            }
            None => {
                let others = Family::ALL.iter().filter_map(|f| {
                    let slot = self.slots[f.column()]?;
                    let (major, minor) = if slot.since == (0, 0) { f.releases().0 } else { slot.since };
                    Some(format!("{} {major}.{minor}", f.product()))
                });
                others.collect::<Vec<_>>().join(" or ")
            }
        };
        let name = self.interface.strip_prefix('V').unwrap_or(self.interface);
        Failure::new(FailureKind::Build, format!("{release} has no {name}::{}; it needs {from}", self.name))
            .next("use that version (--tensorrt DIR), or take the option out")
    }
}

/// A value of an enumeration, which may differ between families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnumValue {
    /// The enumeration, such as `TensorFormat`.
    pub kind: &'static str,
    /// The value's name, such as `kLINEAR`.
    pub name: &'static str,
    values: [Option<i32>; 3],
}

impl EnumValue {
    /// A value with its number in each family, in the order of [`Family::ALL`].
    pub const fn new(kind: &'static str, name: &'static str, values: [Option<i32>; 3]) -> Self {
        Self { kind, name, values }
    }

    /// Its number in this family; `None` where the family does not have it.
    pub fn of(&self, family: Family) -> Option<i32> {
        self.values[family.column()]
    }
}

/// The name of `value` among `all`, such as `kUNSUPPORTED_NODE`.
pub fn name_of(all: &[EnumValue], family: Family, value: i32) -> Option<&'static str> {
    all.iter().find(|v| v.of(family) == Some(value)).map(|v| v.name)
}

/// A method as the tests see it.
#[cfg(test)]
pub struct TableRow {
    /// The interface it belongs to.
    pub interface: &'static str,
    /// Its name in C++.
    pub name: &'static str,
    /// Its slot in each family.
    pub slots: [Option<Slot>; 3],
    /// How many slots the table of each family has.
    pub counts: [usize; 3],
}

macro_rules! slot {
    (-) => {
        None
    };
    (($index:literal)) => {
        Some(Slot { index: $index, since: (0, 0) })
    };
    (($index:literal, $major:literal, $minor:literal)) => {
        Some(Slot { index: $index, since: ($major, $minor) })
    };
}

macro_rules! value {
    (-) => {
        None
    };
    (($value:literal)) => {
        Some($value)
    };
}

macro_rules! methods {
    ($module:ident $interface:literal [$($count:literal),*]
        $($constant:ident $name:literal fn($($arg:ty),*) $(-> $returns:ty)? [$($slot:tt),*];)*) => {
        #[doc = concat!("`", $interface, "`")]
        pub mod $module {
            #[allow(unused_imports)]
            use super::super::abi::{Bytes, Dims, InterfaceInfo, Method, ObjectPointer, Slot, StreamHandle, Text, Texts, This, slot};
            $(
                #[doc = concat!("`", $name, "`")]
                pub const $constant: Method<unsafe extern "C" fn(This $(, $arg)*) $(-> $returns)?> =
                    Method::new($interface, $name, [$(slot!($slot)),*]);
            )*
            /// How many slots each family's table has.
            pub const COUNTS: [usize; 3] = [$($count),*];
            /// Every function of the interface.
            #[cfg(test)]
            pub const ROWS: &[super::super::abi::TableRow] = &[$(super::super::abi::TableRow {
                interface: $interface, name: $name, slots: [$(slot!($slot)),*], counts: COUNTS,
            }),*];
        }
    };
}

macro_rules! enums {
    ($module:ident $kind:literal $($constant:ident $name:literal [$($value:tt),*];)*) => {
        #[doc = concat!("`", $kind, "`")]
        pub mod $module {
            use super::super::abi::{EnumValue, value};
            $(
                #[doc = concat!("`", $name, "`")]
                pub const $constant: EnumValue = EnumValue::new($kind, $name, [$(value!($value)),*]);
            )*
            /// Every value of the enumeration.
            pub const ALL: &[EnumValue] = &[$($constant),*];
        }
    };
}

pub(super) use {enums, methods, slot, value};
