//! What a mapper cannot do even if it were talked into it: open a connection, or start another program.
//!
//! A seccomp filter, where the kernel and the architecture have one. It holds for the thread that sets it and for all
//! that this one starts, and nothing can take it off again.

/// Sets it on this thread. An error says why there is none; the mapper works all the same.
#[cfg(all(target_os = "linux", target_endian = "little"))]
pub fn confine() -> Result<(), String> {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

    // What was open before stays usable: stdin and stdout may well be sockets. `io_uring` does the same by another way.
    let denied = [
        libc::SYS_socket,
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_listen,
        libc::SYS_accept,
        libc::SYS_accept4,
        libc::SYS_io_uring_setup,
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_ptrace,
    ];
    let rules = denied.into_iter().map(|call| (call, Vec::new())).collect();
    let filter = std::env::consts::ARCH
        .try_into()
        .and_then(|arch| {
            let denied = SeccompAction::Errno(libc::EACCES as u32);
            SeccompFilter::new(rules, SeccompAction::Allow, denied, arch)
        })
        .and_then(BpfProgram::try_from)
        .map_err(|error| error.to_string())?;
    seccompiler::apply_filter(&filter).map_err(|error| error.to_string())
}

#[cfg(not(all(target_os = "linux", target_endian = "little")))]
pub fn confine() -> Result<(), String> {
    Err("this system has no filter for system calls that is known here".to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::UnixStream;
    use std::process::Command;

    #[test]
    fn there_is_no_network_and_no_other_program() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let theirs = listener.try_clone().unwrap();
        // A filter is its thread's own, so that other tests go on as they were.
        let confined = std::thread::spawn(move || {
            super::confine().unwrap();
            [
                TcpStream::connect(address).map(drop),
                UdpSocket::bind(("127.0.0.1", 0)).map(drop),
                UnixStream::connect("/nowhere").map(drop),
                theirs.accept().map(drop),
                Command::new("true").status().map(drop),
                // Threads of this one are no way out.
                std::thread::spawn(move || TcpStream::connect(address).map(drop))
                    .join()
                    .unwrap(),
                // What a mapper does need.
                std::fs::read("/proc/self/status").map(drop),
            ]
            .map(|result| result.err().map(|error| error.kind()))
        });
        let denied = Some(ErrorKind::PermissionDenied);
        let expected = [denied, denied, denied, denied, denied, denied, None];
        assert_eq!(confined.join().unwrap(), expected);
        TcpStream::connect(address).unwrap();
    }
}
