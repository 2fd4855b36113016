//! The port: it can refuse connections and come back without ever being lost to another test.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::thread::spawn;
use std::time::Duration;

use rustix::net::{AddressFamily, Shutdown, SocketType, sockopt};

use super::{Shared, connection};

pub struct Listener {
    pub port: u16,
    /// Bound but never listening: keeps the port ours while nobody listens.
    _holder: OwnedFd,
    state: Mutex<Open>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Open {
    listening: Option<Arc<TcpListener>>,
    connections: HashMap<usize, TcpStream>,
    connected: usize,
}

fn bound(port: u16) -> OwnedFd {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC).unwrap();
    sockopt::set_socket_reuseaddr(&socket, true).unwrap();
    rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).unwrap();
    socket
}

impl Listener {
    pub fn open(shared: Arc<Shared>) -> Arc<Self> {
        let holder = bound(0);
        let address = rustix::net::getsockname(&holder).unwrap();
        let port = std::net::SocketAddr::try_from(address).unwrap().port();
        let listener = Arc::new(Listener {
            port,
            _holder: holder,
            state: Mutex::default(),
            shared,
        });
        listener.listen();
        listener
    }

    pub fn listen(self: &Arc<Self>) {
        let mut state = self.state.lock().unwrap();
        if state.listening.is_some() {
            return;
        }
        let socket = bound(self.port);
        rustix::net::listen(&socket, 128).unwrap();
        let listening = Arc::new(TcpListener::from(socket));
        state.listening = Some(listening.clone());
        let me = self.clone();
        spawn(move || {
            while let Ok((stream, _)) = listening.accept() {
                me.serve(stream);
            }
        });
    }

    fn serve(self: &Arc<Self>, stream: TcpStream) {
        let mut state = self.state.lock().unwrap();
        if state.listening.is_none() {
            reset(&stream);
            return;
        }
        let number = state.connected;
        state.connected += 1;
        state.connections.insert(number, stream.try_clone().unwrap());
        drop(state);
        let me = self.clone();
        spawn(move || {
            let away = connection::serve(stream, number, &me.shared);
            me.state.lock().unwrap().connections.remove(&number);
            if let Some(pause) = away {
                me.close();
                std::thread::sleep(pause);
                me.listen();
            }
        });
    }

    /// Refuses new connections, and resets those there are.
    pub fn close(&self) {
        let mut state = self.state.lock().unwrap();
        if let Some(listening) = state.listening.take() {
            // Wakes `accept`, and takes the port out of service at once.
            let _ = rustix::net::shutdown(&listening, Shutdown::Both);
        }
        for (_, stream) in state.connections.drain() {
            reset(&stream);
        }
    }
}

/// Has a connection end as that of a crashed host does, with RST and nothing flushed, as soon as its thread lets
/// go of it. Shutting down the writing side would send a FIN first.
pub fn reset(stream: &TcpStream) {
    let _ = sockopt::set_socket_linger(stream, Some(Duration::ZERO));
    let _ = stream.shutdown(std::net::Shutdown::Read);
}
