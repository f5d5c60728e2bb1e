//! The kinds of devices and the classes of GPUs that the choice of an algorithm distinguishes.

use std::fmt;
use std::str::FromStr;

/// The kinds of devices that the choice of an algorithm distinguishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DeviceKind {
    /// A driver that computes on the CPU.
    Cpu,
    /// A GPU that shares the CPU's memory.
    IntegratedGpu,
    /// A GPU with memory of its own.
    DiscreteGpu,
    /// A virtual GPU, or a device of unknown kind.
    #[default]
    Other,
}

/// A class of GPUs: the vendor and the size. [`choice`](crate::ops::deform_conv2d::choice) estimates times from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum GpuClass {
    /// AMD's largest of the RX 7000 series.
    Navi31,
    /// Another AMD GPU with memory of its own.
    AmdDiscrete,
    /// An AMD GPU beside a CPU.
    AmdIntegrated,
    /// NVIDIA's H100 and H200.
    H100,
    /// Another NVIDIA GPU.
    Nvidia,
    /// An Intel GPU with memory of its own.
    IntelDiscrete,
    /// An Intel GPU beside a CPU.
    IntelIntegrated,
    /// Apple's M2 and its kind.
    M2,
    /// A GPU of which no more is known than that it has memory of its own.
    UnknownDiscrete,
    /// A GPU of which nothing is known.
    #[default]
    Unknown,
}

/// The PCI numbers of vendors, and what Metal reports for Apple.
mod vendor {
    pub(super) const AMD: u32 = 0x1002;
    pub(super) const APPLE: u32 = 0x106b;
    pub(super) const INTEL: u32 = 0x8086;
    pub(super) const NVIDIA: u32 = 0x10de;
}

impl GpuClass {
    /// All classes.
    pub const ALL: [Self; 10] = [
        Self::Navi31,
        Self::AmdDiscrete,
        Self::AmdIntegrated,
        Self::H100,
        Self::Nvidia,
        Self::IntelDiscrete,
        Self::IntelIntegrated,
        Self::M2,
        Self::UnknownDiscrete,
        Self::Unknown,
    ];

    /// Returns the class of an adapter. Metal reports no vendor number, but Apple's names begin with the vendor.
    pub(crate) fn of(vendor: u32, kind: DeviceKind, name: &str) -> Self {
        let discrete = kind == DeviceKind::DiscreteGpu;
        let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
        match vendor {
            vendor::AMD if has(&["RX 7900", "NAVI31"]) => Self::Navi31,
            vendor::AMD if discrete => Self::AmdDiscrete,
            vendor::AMD => Self::AmdIntegrated,
            vendor::NVIDIA if has(&["H100", "H200", "GH200"]) => Self::H100,
            vendor::NVIDIA => Self::Nvidia,
            vendor::INTEL if discrete => Self::IntelDiscrete,
            vendor::INTEL => Self::IntelIntegrated,
            _ if vendor == vendor::APPLE || name.starts_with("Apple") => Self::M2,
            _ if discrete => Self::UnknownDiscrete,
            _ => Self::Unknown,
        }
    }

    /// Returns the kind of the class's devices.
    #[must_use]
    pub const fn kind(self) -> DeviceKind {
        match self {
            Self::Navi31
            | Self::AmdDiscrete
            | Self::H100
            | Self::Nvidia
            | Self::IntelDiscrete
            | Self::UnknownDiscrete => DeviceKind::DiscreteGpu,
            Self::AmdIntegrated | Self::IntelIntegrated | Self::M2 => DeviceKind::IntegratedGpu,
            Self::Unknown => DeviceKind::Other,
        }
    }

    /// Returns the name, as `Display` and `FromStr` use it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Navi31 => "navi31",
            Self::AmdDiscrete => "amd_discrete",
            Self::AmdIntegrated => "amd_integrated",
            Self::H100 => "h100",
            Self::Nvidia => "nvidia",
            Self::IntelDiscrete => "intel_discrete",
            Self::IntelIntegrated => "intel_integrated",
            Self::M2 => "m2",
            Self::UnknownDiscrete => "unknown_discrete",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for GpuClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The error for a text that names no class.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} names no class of GPUs: expected one of {}", GpuClass::ALL.map(GpuClass::name).join(", "))]
pub struct ParseGpuClassError {
    text: String,
}

impl FromStr for GpuClass {
    type Err = ParseGpuClassError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|class| class.name() == text);
        found.ok_or_else(|| ParseGpuClassError { text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adapters_have_the_class_of_their_vendor_kind_and_name() {
        use DeviceKind::{DiscreteGpu, IntegratedGpu, Other};
        for (vendor, kind, name, class) in [
            (0x1002, DiscreteGpu, "AMD Radeon RX 7900 XTX (RADV NAVI31)", GpuClass::Navi31),
            (0x1002, DiscreteGpu, "AMD Radeon RX 6600", GpuClass::AmdDiscrete),
            (0x1002, IntegratedGpu, "AMD Radeon 780M", GpuClass::AmdIntegrated),
            (0x10de, DiscreteGpu, "NVIDIA H200", GpuClass::H100),
            (0x10de, DiscreteGpu, "NVIDIA GeForce RTX 3070", GpuClass::Nvidia),
            (0x8086, DiscreteGpu, "Intel(R) Arc(tm) A770 Graphics", GpuClass::IntelDiscrete),
            (0x8086, IntegratedGpu, "Intel(R) UHD Graphics", GpuClass::IntelIntegrated),
            (0, IntegratedGpu, "Apple M2", GpuClass::M2),
            (0x5143, DiscreteGpu, "", GpuClass::UnknownDiscrete),
            (0, Other, "", GpuClass::Unknown),
        ] {
            assert_eq!(GpuClass::of(vendor, kind, name), class, "{name}");
            // This vendor makes GPUs of other kinds, too.
            assert!(class.kind() == kind || vendor == 0x10de, "{name}");
        }
    }

    #[test]
    fn every_class_parses_from_its_name() {
        assert!(GpuClass::ALL.iter().all(|class| class.to_string().parse() == Ok(*class)));
        let error = "h200".parse::<GpuClass>().expect_err("no class has this name").to_string();
        assert!(error.contains("\"h200\"") && error.contains("navi31, amd_discrete"), "{error}");
    }
}
