//! Directives about passwords, users and dangerous commands.
//!
//! Redis's own rows. Users are declared by `user` lines or in the ACL file; those lines are not
//! directives of this table, see `file_only`.

use crate::config::choice::{AclPubsubDefault, Allowed, SanitizeDumpPayload};
use crate::config::row::{Directive, LONG_MAX, choice, number, optional, range, text};

pub const ROWS: &[Directive] = &[
    optional(
        "requirepass",
        "Password of the default user, as AUTH wants it.",
    )
    .sensitive(),
    text(
        "aclfile",
        "",
        "File with users, instead of user lines in this one.",
    )
    .immutable(),
    number(
        "acllog-max-len",
        range(0, LONG_MAX, 128),
        "Entries that ACL LOG keeps.",
    ),
    choice(
        "acl-pubsub-default",
        AclPubsubDefault::WORDS,
        AclPubsubDefault::Resetchannels as u32,
        "Channels that a new user may use: none, or all of them.",
    ),
    choice(
        "enable-protected-configs",
        Allowed::WORDS,
        Allowed::No as u32,
        "Whether CONFIG SET may change dir and dbfilename, with which files can be overwritten: \
         nobody, everybody, or clients on this machine.",
    )
    .immutable(),
    choice(
        "enable-debug-command",
        Allowed::WORDS,
        Allowed::No as u32,
        "The same question for DEBUG.",
    )
    .immutable(),
    choice(
        "enable-module-command",
        Allowed::WORDS,
        Allowed::No as u32,
        "The same question for MODULE. Ringshard loads no modules.",
    )
    .immutable()
    .accepted(),
    choice(
        "sanitize-dump-payload",
        SanitizeDumpPayload::WORDS,
        SanitizeDumpPayload::No as u32,
        "Deep checks of payloads of RESTORE and of full resynchronisation. Decoding here checks \
         everything, always.",
    )
    .accepted(),
];
