//! Installs system packages where that is allowed, and otherwise says which command to type.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{heading, run, succeeds};

/// A requirement that a task found missing.
#[derive(Clone, Copy)]
pub(crate) enum Need {
    /// A Vulkan loader and a driver that needs no hardware.
    Adapter,
    /// The Khronos validation layer.
    ValidationLayer,
    /// A browser with WebGPU.
    Browser,
}

impl Need {
    pub(crate) fn debian_packages(self) -> &'static [&'static str] {
        match self {
            Need::Adapter => &["mesa-vulkan-drivers", "libvulkan1"],
            Need::ValidationLayer => &["vulkan-validationlayers"],
            Need::Browser => &["chromium", "chromium-driver"],
        }
    }

    fn missing(self) -> &'static str {
        match self {
            Need::Adapter => "no GPU adapter was found",
            Need::ValidationLayer => "the Khronos validation layer is missing",
            Need::Browser => "chromedriver or Chromium is not on the path",
        }
    }

    /// Returns the one command that a person must type to install it.
    fn command_to_type(self, system: System) -> String {
        let (install, packages) = match (system, self) {
            (System::Debian, _) => ("sudo apt-get update && sudo apt-get install -y", self.debian_packages().join(" ")),
            (System::Fedora, Need::Adapter) => ("sudo dnf install", "mesa-vulkan-drivers vulkan-loader".into()),
            (System::Fedora, Need::ValidationLayer) => ("sudo dnf install", "vulkan-validation-layers".into()),
            (System::Fedora, Need::Browser) => ("sudo dnf install", "chromium chromedriver".into()),
            (System::Arch, Need::Browser) => ("sudo pacman -S", "chromium".into()),
            (System::Other, Need::Browser) => return "install Chrome and the chromedriver of its version".into(),
            (System::Arch, Need::Adapter) => ("sudo pacman -S", "vulkan-swrast vulkan-icd-loader".into()),
            (System::Arch, Need::ValidationLayer) => ("sudo pacman -S", "vulkan-validation-layers".into()),
            (System::Other, Need::Adapter) => {
                return "install a driver for your GPU (Metal comes with macOS and Direct3D 12 with \
                        Windows; on Linux, Mesa's lavapipe needs no GPU)"
                    .into();
            }
            (System::Other, Need::ValidationLayer) => {
                return "install your system's package of the Khronos Vulkan validation layers".into();
            }
        };
        format!("{install} {packages}")
    }
}

/// A family of systems that share a package command.
#[derive(Clone, Copy, Debug, PartialEq)]
enum System {
    Debian,
    Fedora,
    Arch,
    Other,
}

impl System {
    fn of_this_machine() -> Self {
        // macOS and Windows have no such file, and count as `Other`.
        Self::from_os_release(&std::fs::read_to_string("/etc/os-release").unwrap_or_default())
    }

    /// Reads the text of os-release(5): shell assignments, of which ID names the system and ID_LIKE its relatives,
    /// closest first.
    fn from_os_release(text: &str) -> Self {
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
            line.unwrap_or_default().trim_matches(['"', '\''])
        };
        let names = value("ID").split_whitespace().chain(value("ID_LIKE").split_whitespace());
        let known = names.filter_map(|name| match name {
            "debian" | "ubuntu" => Some(System::Debian),
            "fedora" | "rhel" => Some(System::Fedora),
            "arch" => Some(System::Arch),
            _ => None,
        });
        known.into_iter().next().unwrap_or(System::Other)
    }
}

/// The way in which this process may act as root.
enum Root {
    Already,
    Sudo,
}

impl Root {
    /// Returns `None` if a password would be needed, because a task must not stop and wait for one.
    fn if_allowed() -> Option<Self> {
        let id = Command::new("id").arg("-u").output().ok()?;
        if id.stdout.trim_ascii() == b"0" {
            return Some(Root::Already);
        }
        succeeds(Command::new("sudo").args(["-n", "true"])).then_some(Root::Sudo)
    }

    fn apt_get(&self) -> Command {
        let mut command = match self {
            Root::Already => Command::new("env"),
            Root::Sudo => {
                let mut sudo = Command::new("sudo");
                sudo.args(["-n", "env"]);
                sudo
            }
        };
        // Without this variable a package may ask a question and wait. `env` sets it, because sudo drops variables.
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        command
    }
}

/// Installs what is needed on Debian and its relatives if this process may. Otherwise returns an error that says what
/// to type.
pub(crate) fn install(need: Need) -> Result<()> {
    let system = System::of_this_machine();
    let root = if system == System::Debian { Root::if_allowed() } else { None };
    let advice = format!("{}; to install it:\n\n    {}\n", need.missing(), need.command_to_type(system));
    let Some(root) = root else { bail!(advice) };
    heading(&format!("install {}", need.debian_packages().join(" ")));
    // One stale source makes the update fail although the packages may still be available, so only the installation
    // decides.
    if let Err(error) = run(root.apt_get().arg("update")) {
        eprintln!("warning: {error:#}");
    }
    run(root.apt_get().args(["install", "-y", "--no-install-recommends"]).args(need.debian_packages()))
        .with_context(|| advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_tells_the_system() {
        assert_eq!(System::from_os_release("NAME=\"Debian GNU/Linux\"\nID=debian\n"), System::Debian);
        assert_eq!(System::from_os_release("ID=ubuntu\nID_LIKE=debian\n"), System::Debian);
        assert_eq!(System::from_os_release("ID=arch"), System::Arch);
    }

    #[test]
    fn a_relative_tells_the_system_if_the_id_is_unknown() {
        assert_eq!(System::from_os_release("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"), System::Debian);
        assert_eq!(System::from_os_release("ID='rocky'\nID_LIKE='rhel centos fedora'\n"), System::Fedora);
    }

    #[test]
    fn other_keys_do_not_tell_the_system() {
        assert_eq!(System::from_os_release("ID=alpine\nHOME_URL=\"https://debian.org\"\n"), System::Other);
        // Some other keys end or begin with "ID".
        assert_eq!(System::from_os_release("VARIANT_ID=debian\nID=nixos\n"), System::Other);
        assert_eq!(System::from_os_release("ID_LIKE=debian\nID=fedora\n"), System::Fedora);
        assert_eq!(System::from_os_release(""), System::Other);
    }

    #[test]
    fn the_command_to_type_names_every_package() {
        for need in [Need::Adapter, Need::ValidationLayer, Need::Browser] {
            let line = need.command_to_type(System::Debian);
            assert!(need.debian_packages().iter().all(|package| line.contains(package)), "{line}");
            assert!(line.starts_with("sudo apt-get update && "), "{line}");
        }
    }

    #[test]
    fn sudo_is_never_interactive() {
        let shown = crate::command::shown(&Root::Sudo.apt_get());
        assert_eq!(shown, "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get");
        let shown = crate::command::shown(&Root::Already.apt_get());
        assert_eq!(shown, "env DEBIAN_FRONTEND=noninteractive apt-get");
    }
}
