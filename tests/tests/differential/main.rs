//! The same data in one node and behind the gateway over three: whatever is asked, the answers are the same.
//!
//! `MIROIR_SEED` repeats a run or, as `random`, makes a new one; `MIROIR_SEARCHES` sets how much is asked;
//! `MIROIR_REPLAY` names a file of printed requests, one a line, to be asked instead.

mod allowed;
mod generate;
mod indexes;
mod judge;
mod probe;
mod report;
mod synthetic;
mod wild;

use miroir_tests::{Client, Dice, cluster, from_environment, lone_node};

use self::{generate::Generator, indexes::INDEXES, judge::judge, probe::Probe, report::Report};

const PROGRAM: &str = env!("CARGO_BIN_EXE_miroir-under-test");
const SEARCHES: usize = 2_000;

#[test]
fn three_nodes_answer_as_one() {
    let (_node, alone, _directory) = lone_node(PROGRAM);
    let cluster = cluster(PROGRAM).nodes(3).start();
    let gateway = cluster.client();
    for index in INDEXES {
        index.load(&alone);
        index.load(&gateway);
    }
    let mut report = Report::default();
    for probe in probes() {
        let verdict = judge(&probe, &probe.ask(&alone), &probe.ask(&gateway));
        report.add(&probe, verdict);
    }
    println!("{report}");
    report.assert_good();
}

fn probes() -> Vec<Probe> {
    if let Ok(file) = std::env::var("MIROIR_REPLAY") {
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
        return text.lines().map(Probe::from_line).collect();
    }
    let mut generator = Generator::new(Dice::from_environment());
    let count = from_environment("MIROIR_SEARCHES", SEARCHES);
    (0..count).map(|_| generator.probe()).collect()
}

/// Both answers of one request, for whoever looks into a difference: `MIROIR_REPLAY=file cargo test ... -- --ignored`.
#[test]
#[ignore = "shows answers, checks nothing"]
fn show_answers() {
    let (_node, alone, _directory) = lone_node(PROGRAM);
    let cluster = cluster(PROGRAM).nodes(3).start();
    let gateway: Client = cluster.client();
    let probes = probes();
    for index in INDEXES.iter().filter(|index| probes.iter().any(|probe| probe.is_about(index.uid))) {
        index.load(&alone);
        index.load(&gateway);
    }
    for probe in probes {
        println!(
            "{}\n one:   {}\n three: {}",
            probe.line(),
            probe.ask(&alone).text,
            probe.ask(&gateway).text
        );
    }
}
