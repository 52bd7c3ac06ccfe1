//! System calls that no program of a sandbox needs and that lead, or have led, out of one.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    sock_filter,
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

/// 64-bit kernels for x86 may know most calls by a second number, and some of them, `ioctl` among them, by a third one. No
/// program uses them: what is numbered from here on is answered as by a kernel that does not know it.
const X32: u32 = 0x4000_0000;
/// Before all other rules: the number, which is the first thing that a filter sees, is loaded and compared.
const WITHOUT_X32: [sock_filter; 3] = [
    sock_filter { code: LOAD, jt: 0, jf: 0, k: 0 },
    sock_filter { code: JUMP_IF_AT_LEAST, jt: 0, jf: 1, k: X32 },
    sock_filter { code: RETURN, jt: 0, jf: 0, k: libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned() },
];
const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const JUMP_IF_AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

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
    // Limits of another process: the first one could not look at anything any more if it could open no file.
    let of_another = equals(0, 0, SeccompCmpOp::Ne)?;
    rules.insert(libc::SYS_prlimit64, vec![SeccompRule::new(vec![of_another])?]);
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM as u32),
        std::env::consts::ARCH.try_into()?,
    )?;
    let program: BpfProgram = filter.try_into()?;
    Ok(WITHOUT_X32.into_iter().chain(program).collect())
}

fn equals(
    argument: u8,
    value: u64,
    operator: SeccompCmpOp,
) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: u32 = libc::SECCOMP_RET_ALLOW;
    const REFUSED_IT: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned();
    const UNKNOWN: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned();

    /// What the kernel would do with a call.
    fn verdict(call: libc::c_long, arguments: [u64; 6]) -> u32 {
        const ARCHITECTURE: u32 = if cfg!(target_arch = "x86_64") { 0xc000_003e } else { 0xc000_00b7 };
        // Number, architecture, instruction pointer, arguments: the lower half of each comes first.
        let mut data = vec![u32::try_from(call).unwrap(), ARCHITECTURE, 0, 0];
        data.extend(arguments.iter().flat_map(|argument| [*argument as u32, (argument >> 32) as u32]));
        let program = program().unwrap();
        let (mut accumulator, mut at) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            let code = u32::from(code);
            let jump = |is_so: bool| usize::from(if is_so { jt } else { jf });
            match (code & 0x07, code & 0xf0) {
                (libc::BPF_LD, _) => accumulator = data[k as usize / 4],
                (libc::BPF_ALU, libc::BPF_AND) => accumulator &= k,
                (libc::BPF_JMP, libc::BPF_JA) => at += k as usize,
                (libc::BPF_JMP, libc::BPF_JEQ) => at += jump(accumulator == k),
                (libc::BPF_JMP, libc::BPF_JGT) => at += jump(accumulator > k),
                (libc::BPF_JMP, libc::BPF_JGE) => at += jump(accumulator >= k),
                (libc::BPF_RET, _) => return k,
                _ => panic!("an instruction that this test does not know: {code:#x}"),
            }
        }
    }

    #[test]
    fn a_call_is_refused_by_its_number_or_by_what_it_asks_for() {
        let socket = |kind: i32| verdict(libc::SYS_socket, [kind as u64, 1, 0, 0, 0, 0]);
        let ioctl = |request| verdict(libc::SYS_ioctl, [0, request, 0, 0, 0, 0]);
        assert_eq!(verdict(libc::SYS_getpid, [0; 6]), ALLOWED);
        assert_eq!(verdict(libc::SYS_keyctl, [0; 6]), REFUSED_IT);
        assert_eq!((socket(libc::AF_UNIX), socket(libc::AF_VSOCK)), (ALLOWED, REFUSED_IT));
        assert_eq!((ioctl(libc::TIOCGWINSZ), ioctl(libc::TIOCSTI)), (ALLOWED, REFUSED_IT));
        let limit = |process| verdict(libc::SYS_prlimit64, [process, 7, 1, 0, 0, 0]);
        assert_eq!((limit(0), limit(1)), (ALLOWED, REFUSED_IT));
    }

    #[test]
    fn no_call_is_let_through_by_another_of_its_numbers() {
        let typing = [0, libc::TIOCSTI, 0, 0, 0, 0];
        let third_number_of_ioctl = 514;
        for call in [libc::SYS_ioctl, third_number_of_ioctl, libc::SYS_getpid] {
            assert_eq!(verdict(libc::c_long::from(X32) | call, typing), UNKNOWN, "{call}");
        }
    }
}
