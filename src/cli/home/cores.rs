//! Keys do not go to a disk by way of a core dump.

/// Forbids core dumps of this process from here on; on Linux other processes of the same user can then not read its
/// memory either. Where the system refuses, the keys are used all the same: it is a second line.
pub fn forbid() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(cause) = setrlimit(Resource::Core, none) {
        tracing::warn!(%cause, "core dumps could not be forbidden");
    }
    #[cfg(target_os = "linux")]
    if let Err(cause) = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable) {
        tracing::warn!(%cause, "core dumps could not be forbidden");
    }
}
