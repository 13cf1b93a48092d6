//! Histories of transactions that append to lists and read them, and what is wrong with them.
//!
//! Whoever reads a list sees in which order it was written, so who must have come before whom is
//! read off the history: the writer of an element before the writer of the next one and before
//! everybody who saw it, whoever did not see an element before its writer, and whoever had
//! returned before another one was called. The history is strictly serializable if no circle comes
//! of it. (The idea is that of Kingsbury and Alvaro, "Elle", 2020, on the cases met here.)

use std::collections::HashMap;

pub type Element = u32;

#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Append(usize, Element),
    Read(usize, Vec<Element>),
}

/// What a client did in one go; times on one clock.
#[derive(Clone, Debug)]
pub struct Transaction {
    pub called: u64,
    pub returned: u64,
    pub steps: Vec<Step>,
    /// False: the server said that nothing was done.
    pub is_done: bool,
}

/// Where an element comes from.
struct Written {
    by: usize,
    /// More of this transaction follow in the same list.
    is_followed: bool,
}

/// Looks for what is wrong; the last transaction has to read all lists as they are in the end.
pub fn first_anomaly(history: &[Transaction]) -> Option<String> {
    check(history).err()
}

fn check(history: &[Transaction]) -> Result<(), String> {
    let written = written(history)?;
    let lists = lists(history)?;
    for (key, list) in &lists {
        check_list(*key, list, &written, history)?;
    }
    for ((key, element), writer) in &written {
        let is_there = lists.get(key).is_some_and(|list| list.contains(element));
        if history[writer.by].is_done && !is_there {
            return Err(format!("{element} was appended to {key} and is lost"));
        }
    }
    let mut before = vec![Vec::new(); history.len()];
    for (reader, transaction) in history.iter().enumerate() {
        if transaction.is_done {
            edges_of(reader, transaction, (&lists, &written), &mut before)?;
        }
    }
    for (key, list) in &lists {
        for pair in list.windows(2) {
            let (one, other) = (written[&(*key, pair[0])].by, written[&(*key, pair[1])].by);
            if one != other {
                before[one].push(other);
            }
        }
    }
    add_real_time(history, &mut before);
    match circle(&before) {
        None => Ok(()),
        Some(circle) => {
            let lines = circle.iter().map(|index| format!("{:?}", history[*index]));
            Err(lines.collect::<Vec<_>>().join("\n before "))
        }
    }
}

fn written(history: &[Transaction]) -> Result<HashMap<(usize, Element), Written>, String> {
    let mut written: HashMap<(usize, Element), Written> = HashMap::new();
    for (by, transaction) in history.iter().enumerate() {
        let mut last: HashMap<usize, Element> = HashMap::new();
        for step in &transaction.steps {
            let Step::Append(key, element) = step else {
                continue;
            };
            let is_followed = false;
            let old = written.insert((*key, *element), Written { by, is_followed });
            assert!(old.is_none(), "elements are unique");
            if let Some(last) = last.insert(*key, *element) {
                let last = written.get_mut(&(*key, last)).expect("just written");
                last.is_followed = true;
            }
        }
    }
    Ok(written)
}

/// The longest list that was read of each key; all others have to be its beginnings.
fn lists(history: &[Transaction]) -> Result<HashMap<usize, Vec<Element>>, String> {
    let mut lists: HashMap<usize, Vec<Element>> = HashMap::new();
    for transaction in history.iter().filter(|transaction| transaction.is_done) {
        for step in &transaction.steps {
            let Step::Read(key, read) = step else {
                continue;
            };
            let longest = lists.entry(*key).or_default();
            let common = longest.len().min(read.len());
            if longest[..common] != read[..common] {
                return Err(format!("{key} was read as {longest:?} and as {read:?}"));
            }
            if read.len() > longest.len() {
                longest.clone_from(read);
            }
        }
    }
    Ok(lists)
}

fn check_list(
    key: usize,
    list: &[Element],
    written: &HashMap<(usize, Element), Written>,
    history: &[Transaction],
) -> Result<(), String> {
    for (at, element) in list.iter().enumerate() {
        match written.get(&(key, *element)) {
            None => return Err(format!("nobody appended {element} to {key}")),
            Some(writer) if !history[writer.by].is_done => {
                return Err(format!("{element} in {key} was never done"));
            }
            _ if list[..at].contains(element) => {
                return Err(format!("{element} is in {key} twice"));
            }
            _ => {}
        }
    }
    Ok(())
}

type Known<'a> = (
    &'a HashMap<usize, Vec<Element>>,
    &'a HashMap<(usize, Element), Written>,
);

/// Whom a transaction's reads put before it and behind it.
fn edges_of(
    reader: usize,
    transaction: &Transaction,
    known: Known<'_>,
    before: &mut [Vec<usize>],
) -> Result<(), String> {
    let (lists, written) = known;
    let mut own: HashMap<usize, Vec<Element>> = HashMap::new();
    for step in &transaction.steps {
        let (key, read) = match step {
            Step::Append(key, element) => {
                own.entry(*key).or_default().push(*element);
                continue;
            }
            Step::Read(key, read) => (key, read),
        };
        let own = own.get(key).map_or(&[][..], Vec::as_slice);
        let Some(seen) = read.strip_suffix(own) else {
            return Err(format!("its own {own:?} are not in {key}: {transaction:?}"));
        };
        if let Some(last) = seen.last() {
            let writer = &written[&(*key, *last)];
            if writer.by == reader {
                return Err(format!("read its own future: {transaction:?}"));
            }
            if writer.is_followed {
                return Err(format!("saw the middle of another one: {transaction:?}"));
            }
            before[writer.by].push(reader);
        }
        if let Some(next) = lists[key].get(seen.len()) {
            let writer = written[&(*key, *next)].by;
            if writer != reader {
                before[reader].push(writer);
            }
        }
    }
    Ok(())
}

fn add_real_time(history: &[Transaction], before: &mut [Vec<usize>]) {
    for (one, earlier) in history.iter().enumerate() {
        for (other, later) in history.iter().enumerate() {
            if earlier.returned < later.called {
                before[one].push(other);
            }
        }
    }
}

/// A circle, if there is one.
fn circle(before: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut done = vec![false; before.len()];
    for start in 0..before.len() {
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        let mut on_path = vec![false; before.len()];
        on_path[start] = true;
        while let Some((at, next)) = path.last_mut() {
            let Some(&to) = before[*at].get(*next).filter(|_| !done[*at]) else {
                done[*at] = true;
                on_path[*at] = false;
                path.pop();
                continue;
            };
            *next += 1;
            if on_path[to] {
                let from = path.iter().position(|(index, _)| *index == to)?;
                return Some(path[from..].iter().map(|(index, _)| *index).collect());
            }
            if !done[to] {
                on_path[to] = true;
                path.push((to, 0));
            }
        }
    }
    None
}
