//! System calls that no program of a sandbox needs and that lead, or have led, out of one.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// Kinds of sockets that a program may open: unix, IPv4, IPv6, netlink. Others, such as those to a hypervisor, know nothing
/// of network namespaces.
const SOCKETS: [i32; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// Refused whatever their arguments. Keyrings belong to whoever runs the runner; io_uring opens sockets past this filter;
/// the others are for administrators, and are where the kernel's own mistakes are found.
const REFUSED: [libc::c_long; 14] = [
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_open_by_handle_at,
    libc::SYS_perf_event_open,
    libc::SYS_pivot_root,
    libc::SYS_request_key,
    libc::SYS_umount2,
    libc::SYS_userfaultfd,
];

/// Filters this process, all threads that it starts from now on, and all programs.
pub(super) fn install() -> Result<(), seccompiler::Error> {
    seccompiler::apply_filter(&program()?)
}

fn program() -> Result<BpfProgram, seccompiler::Error> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        REFUSED.into_iter().map(|call| (call, Vec::new())).collect();
    let other_socket =
        SOCKETS.into_iter().map(|kind| equals(0, kind as u64, SeccompCmpOp::Ne)).collect::<Result<_, _>>()?;
    rules.insert(libc::SYS_socket, vec![SeccompRule::new(other_socket)?]);
    // They type into a terminal in somebody else's name.
    let typing = [libc::TIOCSTI, libc::TIOCLINUX];
    let typing: Result<_, seccompiler::BackendError> = typing
        .into_iter()
        .map(|request| SeccompRule::new(vec![equals(1, request, SeccompCmpOp::Eq)?]))
        .collect();
    rules.insert(libc::SYS_ioctl, typing?);
    // The same calls by the other numbers that 64-bit kernels for x86 may know.
    #[cfg(target_arch = "x86_64")]
    {
        const X32: i64 = 0x4000_0000;
        let again: Vec<_> = rules.iter().map(|(call, rules)| (call | X32, rules.clone())).collect();
        rules.extend(again);
    }
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM as u32),
        std::env::consts::ARCH.try_into()?,
    )?;
    Ok(filter.try_into()?)
}

fn equals(
    argument: u8,
    value: u64,
    operator: SeccompCmpOp,
) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
}
