//! Directives about TLS.
//!
//! Known so that a stock file loads. This build has no TLS, so none of them has an effect; put a
//! terminating proxy in front where it is needed.

use crate::config::choice::TLS_AUTH_CLIENTS;
use crate::config::row::{Directive, choice, count, number, optional, range, yes_no};

pub const ROWS: &[Directive] = &[
    number("tls-port", range(0, 65535, 0), "Port for TLS clients.").accepted(),
    optional("tls-cert-file", "Certificate shown to clients.").accepted(),
    optional("tls-key-file", "Private key of tls-cert-file.").accepted(),
    optional("tls-key-file-pass", "Password of tls-key-file.").accepted(),
    optional(
        "tls-client-cert-file",
        "Certificate for outgoing connections.",
    )
    .accepted(),
    optional(
        "tls-client-key-file",
        "Private key of tls-client-cert-file.",
    )
    .accepted(),
    optional(
        "tls-client-key-file-pass",
        "Password of tls-client-key-file.",
    )
    .accepted(),
    optional("tls-dh-params-file", "Parameters for old key exchanges.").accepted(),
    optional(
        "tls-ca-cert-file",
        "Authorities that may sign peers' certificates.",
    )
    .accepted(),
    optional("tls-ca-cert-dir", "The same, as a directory.").accepted(),
    choice(
        "tls-auth-clients",
        TLS_AUTH_CLIENTS,
        1,
        "Whether clients must, may or need not show a certificate.",
    )
    .accepted(),
    yes_no("tls-replication", false, "TLS between master and replica.").accepted(),
    yes_no("tls-cluster", false, "TLS on the cluster bus.").accepted(),
    optional("tls-protocols", "Allowed versions.").accepted(),
    optional("tls-ciphers", "Allowed ciphers up to TLS 1.2.").accepted(),
    optional("tls-ciphersuites", "Allowed ciphers of TLS 1.3.").accepted(),
    yes_no(
        "tls-prefer-server-ciphers",
        false,
        "The server's order of ciphers wins.",
    )
    .accepted(),
    yes_no("tls-session-caching", true, "Sessions may be resumed.").accepted(),
    number(
        "tls-session-cache-size",
        count(20480),
        "Sessions that are kept.",
    )
    .accepted(),
    number(
        "tls-session-cache-timeout",
        count(300),
        "Seconds for which they are kept.",
    )
    .accepted(),
];
