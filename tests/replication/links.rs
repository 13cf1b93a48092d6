//! Links that break again and again under load: replicas go on where they were.
//!
//! Ringshard to Ringshard and with stock servers at either end. A cut is shorter than the backlog,
//! so all but one in a hundred resynchronizations have to be partial, and the data are compared
//! after each. `LINK_ROUNDS=50` breaks each link fifty times.

use crate::load::Load;
use crate::pair::{number, prompt, rounds, stock, wait_for_equality, wait_for_link};
use crate::proxy::Proxy;
use crate::support::{Server, Setup, wait_until};

/// No cut is longer than this.
const BACKLOG: &str = "67108864";

fn ours(shards: usize) -> Setup {
    prompt(Setup::ringshard(shards)).arg("repl-backlog-size", BACKLOG)
}

/// How often replicas have resynchronized with a master: fully, and partially.
fn syncs(master: &Server) -> (i64, i64) {
    let mut client = master.client();
    let partial = number(&mut client, "sync_partial_ok");
    (number(&mut client, "sync_full"), partial)
}

fn breaks(master: &Setup, replica: &Setup) {
    let (master, replica) = (master.start(), replica.start());
    let proxy = Proxy::to(master.port());
    let name = format!("REPLICAOF 127.0.0.1 {}", proxy.port);
    assert_eq!(replica.client().call(&name).text(), "OK");
    wait_for_link(&replica);
    let load = Load::on(master.port(), 2);
    let (full, partial) = syncs(&master);
    let rounds = rounds("LINK_ROUNDS", 2);
    for round in 0..rounds {
        let (begin, before) = (load.writes(), syncs(&master));
        let writes = |count: u64| load.writes() > begin + count;
        wait_until("clients write", || writes(200));
        match round % 3 {
            0 => proxy.down(),
            1 => proxy.reset(),
            _ => proxy.stall(),
        }
        // A server that waits for nobody goes on writing meanwhile.
        wait_until("clients write on", || writes(1000));
        proxy.open();
        if round % 3 != 2 {
            wait_until("the replica is back", || {
                let now = syncs(&master);
                now.0 + now.1 > before.0 + before.1
            });
        }
        wait_for_link(&replica);
        load.rest();
        wait_for_equality(&master, &replica);
        load.go_on();
    }
    drop(load);
    let now = syncs(&master);
    let (full, partial) = (now.0 - full, now.1 - partial);
    println!("{rounds} rounds: {full} full and {partial} partial resynchronizations");
    assert!(
        full * 100 <= full + partial,
        "{full} full, {partial} partial"
    );
    assert!(partial > 0);
}

#[test]
fn links_of_our_own_break() {
    for (master, replica) in [(1, 3), (4, 2)] {
        breaks(&ours(master), &ours(replica));
    }
}

#[test]
fn links_with_stock_servers_break() {
    let Some(stock) = stock() else { return };
    let stock = stock.arg("repl-backlog-size", BACKLOG);
    breaks(&ours(3), &stock);
    breaks(&stock, &ours(3));
}
