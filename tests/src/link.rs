//! What lies between the gateway and a node: a network that may fail in every way a network fails.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    time::sleep,
};

use crate::runtime::{spawn, wait_for};

/// What is passed on at once, in bytes.
const CHUNK: usize = 64 * 1024;
/// How long it takes until what was lost is sent again, as TCP has it where nothing comes behind it.
const AGAIN: Duration = Duration::from_millis(200);
/// Bytes a second of a narrow network.
const NARROW: u32 = 64 * 1024;

/// What is wrong with a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Everything takes so much longer, each way.
    Delay(Duration),
    /// Of so many pieces one is lost, each way, and arrives once it has been sent again.
    Loss(u32),
    /// No more than 64 KB a second get through, each way.
    Narrow,
    /// What the gateway sends does not arrive until this ends; what the node sends does.
    ToNode,
    /// What the node sends does not arrive until this ends; what the gateway sends does.
    FromNode,
    /// Nothing arrives until this ends.
    Both,
    /// Every connection is reset, those that exist too.
    Reset,
}

/// Passes connections on to a node, as well as its fault allows.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
}

#[derive(Clone, Copy)]
enum Direction {
    ToNode,
    FromNode,
}

impl Link {
    pub(crate) fn to(node: SocketAddr) -> Self {
        let listener = wait_for(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
        let address = listener.local_addr().expect("the listener has an address");
        let (fault, faults) = watch::channel(Fault::None);
        spawn(accept(listener, node, faults));
        Self { address, fault }
    }

    /// Where the gateway finds it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on this is wrong with it.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

/// Ends with the link.
async fn accept(listener: TcpListener, node: SocketAddr, mut faults: watch::Receiver<Fault>) {
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((gateway, _)) = accepted else { continue };
                spawn(pass(gateway, node, faults.clone()));
            }
            changed = faults.changed() => if changed.is_err() { return },
        }
    }
}

async fn pass(gateway: TcpStream, node: SocketAddr, mut faults: watch::Receiver<Fault>) {
    // Closed with what is unread, which resets it.
    let _ = gateway.set_zero_linger();
    if *faults.borrow() == Fault::Reset {
        return;
    }
    // A node that is not there resets, as it would without the link.
    let Ok(there) = TcpStream::connect(node).await else { return };
    let _ = (gateway.set_nodelay(true), there.set_nodelay(true));
    let ((gateway_in, gateway_out), (node_in, node_out)) = (gateway.into_split(), there.into_split());
    let to_node = pump(gateway_in, node_out, Direction::ToNode, faults.clone());
    let from_node = pump(node_in, gateway_out, Direction::FromNode, faults.clone());
    tokio::select! {
        // One end has closed: the other one is told by closing.
        () = to_node => {}
        () = from_node => {}
        _ = faults.wait_for(|fault| *fault == Fault::Reset) => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    direction: Direction,
    mut faults: watch::Receiver<Fault>,
) {
    let (mut chunk, mut passed) = (vec![0; CHUNK], 0);
    loop {
        let read = match from.read(&mut chunk).await {
            Ok(0) | Err(_) => return,
            Ok(read) => read,
        };
        // What is on its way arrives once the way is free: as a network's repetitions have it.
        let Ok(fault) = faults.wait_for(|fault| !direction.is_cut_by(*fault)).await.map(|fault| *fault)
        else {
            return;
        };
        passed += 1;
        match fault {
            Fault::Delay(delay) => sleep(delay).await,
            Fault::Loss(one_of) if passed % one_of == 0 => sleep(AGAIN).await,
            Fault::Narrow => {
                sleep(Duration::from_secs(1) * u32::try_from(read).unwrap_or(u32::MAX) / NARROW).await
            }
            _ => {}
        }
        if to.write_all(&chunk[..read]).await.is_err() {
            return;
        }
    }
}

impl Direction {
    fn is_cut_by(self, fault: Fault) -> bool {
        match self {
            Self::ToNode => matches!(fault, Fault::ToNode | Fault::Both),
            Self::FromNode => matches!(fault, Fault::FromNode | Fault::Both),
        }
    }
}
