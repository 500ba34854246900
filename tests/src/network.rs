//! A network of a process's own: a namespace of the kernel's, joined to this one by a pair of interfaces on which packets are
//! lost, late, or go one way only.
//!
//! What connections make of that is the kernel's own work, other than behind a [`Link`](crate::Link): what is lost is sent again
//! ever more seldom, and a connection that nothing comes back on is not known to be cut. It takes the rights of an
//! administrator, `ip` and `tc`, and for loss and delay a kernel that has `netem`.

use std::{
    net::Ipv4Addr,
    process::Command,
    sync::atomic::{AtomicU8, Ordering},
};

use crate::link::Fault;

/// What the interface within a namespace is called.
const INSIDE: &str = "there";
/// Lets nothing through: a bucket for less than any packet.
const CUT: &[&str] = &["tbf", "rate", "8bit", "burst", "1", "limit", "1"];
/// As much as [`Fault::Narrow`] says; what waits for longer than a fifth of a second is lost.
const NARROW: &[&str] = &["tbf", "rate", "512kbit", "burst", "8kb", "latency", "200ms"];
/// Networks of four addresses each.
const MOST: u8 = 60;

/// How many there have been in this process.
static COUNT: AtomicU8 = AtomicU8::new(0);

/// Is removed in the end, with whoever is still in it.
#[derive(Debug)]
pub struct Network {
    namespace: String,
    /// The interface that leads there.
    interface: String,
    address: Ipv4Addr,
    has_netem: bool,
}

impl Network {
    /// A network with which nothing is wrong.
    ///
    /// # Errors
    ///
    /// Where there can be none here, and why.
    pub fn new() -> Result<Self, String> {
        let (process, number) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed) % MOST);
        let address = |host: u8| {
            let [.., high, low] = process.to_be_bytes();
            Ipv4Addr::new(10, 128 | high, low, number * 4 + host)
        };
        let namespace = format!("miroir-{process}-{number}");
        ip(&["netns", "add", &namespace])?;
        // From here on it is removed whatever fails.
        let mut network = Self {
            namespace,
            interface: format!("mi{process}n{number}"),
            address: address(2),
            has_netem: false,
        };
        let (here, there) = (format!("{}/30", address(1)), format!("{}/30", address(2)));
        let Self { namespace, interface, .. } = &network;
        ip(&["link", "add", interface, "type", "veth", "peer", "name", INSIDE, "netns", namespace])?;
        ip(&["addr", "add", &here, "dev", interface])?;
        ip(&["link", "set", interface, "up"])?;
        ip(&["-n", namespace, "addr", "add", &there, "dev", INSIDE])?;
        ip(&["-n", namespace, "link", "set", INSIDE, "up"])?;
        ip(&["-n", namespace, "link", "set", "lo", "up"])?;
        network.shape(true, CUT)?;
        network.has_netem = network.shape(true, &["netem", "delay", "1ms"]).is_ok();
        network.set(Fault::None);
        Ok(network)
    }

    /// The address within.
    pub(crate) fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// A program that runs within.
    pub(crate) fn command(&self, program: &std::ffi::OsStr) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace]).arg(program);
        command
    }

    /// Whether this can go wrong with it.
    pub fn can(&self, fault: Fault) -> bool {
        match fault {
            Fault::Reset => false,
            Fault::Delay(_) | Fault::Loss(_) => self.has_netem,
            Fault::None | Fault::Narrow | Fault::ToNode | Fault::FromNode | Fault::Both => true,
        }
    }

    /// From now on this is wrong with it, which it [can](Self::can).
    pub fn set(&self, fault: Fault) {
        let (delay, loss);
        let (to_node, from_node): (Vec<&str>, Vec<&str>) = match fault {
            Fault::None => both(&[]),
            Fault::Delay(time) => {
                delay = format!("{}ms", time.as_millis());
                both(&["netem", "delay", &delay])
            }
            Fault::Loss(one_of) => {
                loss = format!("{}%", 100 / one_of.max(1));
                both(&["netem", "loss", &loss])
            }
            Fault::Narrow => both(NARROW),
            Fault::ToNode => (CUT.to_vec(), Vec::new()),
            Fault::FromNode => (Vec::new(), CUT.to_vec()),
            Fault::Both => both(CUT),
            Fault::Reset => panic!("a network resets nothing"),
        };
        for (is_there, shape) in [(false, to_node), (true, from_node)] {
            self.shape(is_there, &shape).unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        }
    }

    /// Has an interface send like this; as it was at first where there is nothing to it.
    fn shape(&self, is_there: bool, shape: &[&str]) -> Result<(), String> {
        let mut arguments = match is_there {
            true => vec!["-n", &self.namespace, "qdisc", "replace", "dev", INSIDE, "root"],
            false => vec!["qdisc", "replace", "dev", &self.interface, "root"],
        };
        arguments.extend(if shape.is_empty() { &["pfifo", "limit", "1000"][..] } else { shape });
        run("tc", &arguments)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // The interfaces go with it. It may be in use for a moment yet by what was killed.
        let _ = ip(&["netns", "del", &self.namespace]);
    }
}

fn both<'a>(shape: &[&'a str]) -> (Vec<&'a str>, Vec<&'a str>) {
    (shape.to_vec(), shape.to_vec())
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    run("ip", arguments)
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let said =
        Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    let failed =
        || format!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&said.stderr).trim());
    said.status.success().then_some(()).ok_or_else(failed)
}
