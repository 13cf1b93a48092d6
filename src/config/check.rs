//! Rules of single directives beyond their kind: file names without a path, host names, titles.
//!
//! Functions that rows name with `.check(..)`. They see the parsed value and answer in Redis's
//! words. None looks at the machine.

use super::choice::ShutdownFlags;
use super::number::Reason;
use super::value::Value;
use crate::base::cpu_list;

/// Redis's limit of a host name, with its final NUL.
const HOST_NAME_MAX: usize = 256;

const TITLE_VARIABLES: [&[u8]; 7] = [
    b"title",
    b"listen-addr",
    b"server-mode",
    b"port",
    b"tls-port",
    b"unixsocket",
    b"config-file",
];

pub fn is_rdb_file_name(value: &Value) -> Result<(), Reason> {
    ensure(
        is_base_name(text(value)),
        "dbfilename can't be a path, just a filename",
    )
}

pub fn is_aof_file_name(value: &Value) -> Result<(), Reason> {
    ensure(!text(value).is_empty(), "appendfilename can't be empty")?;
    ensure(
        is_base_name(text(value)),
        "appendfilename can't be a path, just a filename",
    )
}

pub fn is_aof_dir_name(value: &Value) -> Result<(), Reason> {
    ensure(!text(value).is_empty(), "appenddirname can't be empty")?;
    ensure(
        is_base_name(text(value)),
        "appenddirname can't be a path, just a dirname",
    )
}

pub fn is_host_name(value: &Value) -> Result<(), Reason> {
    let name = text(value);
    ensure(
        name.len() < HOST_NAME_MAX,
        "Hostnames must be less than 256 characters",
    )?;
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.".contains(byte);
    ensure(
        name.iter().all(is_plain),
        "Hostnames may only contain alphanumeric characters, hyphens or dots",
    )
}

/// Saving and not saving exclude each other.
pub fn is_shutdown(value: &Value) -> Result<(), Reason> {
    let Value::Choice(bits) = *value else {
        unreachable!("a choice's check")
    };
    let flags = ShutdownFlags(bits);
    ensure(
        !(flags.has(ShutdownFlags::SAVE) && flags.has(ShutdownFlags::NOSAVE)),
        "shutdown options SAVE and NOSAVE can't be used simultaneously",
    )
}

pub fn is_proc_title(value: &Value) -> Result<(), Reason> {
    ensure(
        shows_a_title(text(value)),
        "template format is invalid or contains unknown variables",
    )
}

/// Whether a template is well-formed and leaves something to show. `{{` is a brace. As in Redis,
/// `title` and `unixsocket` count as empty here; the other variables never are.
fn shows_a_title(template: &[u8]) -> bool {
    let (mut rest, mut shows) = (template, false);
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte != b'{' {
            shows |= *byte != b' ';
            continue;
        }
        if let [b'{', tail @ ..] = rest {
            (rest, shows) = (tail, true);
            continue;
        }
        let Some(end) = rest.iter().position(|byte| *byte == b'}') else {
            return false;
        };
        let name = rest[..end].to_ascii_lowercase();
        if !TITLE_VARIABLES.contains(&name.as_slice()) {
            return false;
        }
        shows |= ![&b"title"[..], b"unixsocket", b"config-file"].contains(&name.as_slice());
        rest = &rest[end + 1..];
    }
    shows
}

pub fn is_cpu_list(value: &Value) -> Result<(), Reason> {
    let Value::Text(list) = value else {
        unreachable!("a text's check")
    };
    ensure(
        list.as_deref()
            .is_none_or(|list| cpu_list::parse(list).is_some()),
        "argument must be a list of CPUs such as 0-3,8,16-30:2",
    )
}

fn is_base_name(name: &[u8]) -> bool {
    !name.iter().any(|byte| b"/\\".contains(byte))
}

fn text(value: &Value) -> &[u8] {
    match value {
        Value::Text(text) => text.as_deref().unwrap_or_default(),
        _ => unreachable!("a text's check"),
    }
}

fn ensure(holds: bool, reason: &'static str) -> Result<(), Reason> {
    if holds { Ok(()) } else { Err(reason.into()) }
}
