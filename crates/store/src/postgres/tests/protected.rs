//! Encrypted connections to a real server, and passwords that stay out of messages (S8).

use std::error::Error as _;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::server::{PASSWORD, Server, free_port};
use super::{Postgres, made};
use crate::StoreError;
use crate::sql::Connection as _;

fn openssl(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("openssl");
    command.args(arguments).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().expect("openssl is needed").success(), "{arguments:?}");
}

/// Somebody who vouches for others.
fn authority(folder: &Path, name: &str) -> PathBuf {
    let subject = format!("/CN={name}");
    let (key, file) = (format!("{name}.key"), format!("{name}.crt"));
    openssl(
        folder,
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-keyout",
            &key,
            "-out",
            &file,
            "-subj",
            &subject,
            "-days",
            "2",
        ],
    );
    folder.join(file)
}

/// A server that is called `localhost`, and who vouches for that; and somebody who does not.
fn protected() -> (Server, TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let (ours, others) = (authority(place, "ours"), authority(place, "others"));
    openssl(
        place,
        &[
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-keyout",
            "server.key",
            "-out",
            "server.csr",
            "-subj",
            "/CN=localhost",
        ],
    );
    std::fs::write(place.join("names"), "subjectAltName=DNS:localhost\n").unwrap();
    openssl(
        place,
        &[
            "x509",
            "-req",
            "-in",
            "server.csr",
            "-CA",
            "ours.crt",
            "-CAkey",
            "ours.key",
            "-CAcreateserial",
            "-out",
            "server.crt",
            "-days",
            "2",
            "-extfile",
            "names",
        ],
    );
    let mut server = Server::start(&["fsync=off"]);
    let read = |name: &str| std::fs::read_to_string(place.join(name)).unwrap();
    let certificate = server.put("server.crt", &read("server.crt"));
    let key = server.put("server.key", &read("server.key"));
    let own = |name: &str, path: &Path| format!("{name}={}", path.display());
    server.kill();
    server.set(&["ssl=on", &own("ssl_cert_file", &certificate), &own("ssl_key_file", &key)]);
    server.resume();
    (server, folder, ours, others)
}

fn is_encrypted(connection: &Postgres) -> bool {
    let mut encrypted = 0;
    let sql = "SELECT ssl::int FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    connection
        .each(sql, &[], &mut |row| {
            encrypted = row.int(0)?;
            Ok(())
        })
        .unwrap();
    encrypted == 1
}

#[test]
fn a_server_is_believed_as_far_as_the_url_asks() {
    let (server, _folder, ours, others) = protected();
    let url =
        |host: &str, query: &str| format!("{}?{query}", server.url_of("milestone", PASSWORD, host));
    let verified = |host: &str, by: &Path| {
        Postgres::open(&url(host, &format!("sslmode=verify-full&sslrootcert={}", by.display())))
    };
    assert!(is_encrypted(&verified("localhost", &ours).unwrap()));
    for (refused, why) in [
        (verified("127.0.0.1", &ours), "not valid for name"),
        (verified("localhost", &others), "invalid peer certificate"),
    ] {
        let Err(error) = refused else { panic!("{why}") };
        assert!(matches!(error, StoreError::Database { .. }), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
    let chain = format!("sslmode=verify-ca&sslrootcert={}", ours.display());
    assert!(is_encrypted(&Postgres::open(&url("127.0.0.1", &chain)).unwrap()));
    let chain = format!("sslmode=verify-ca&sslrootcert={}", others.display());
    assert!(Postgres::open(&url("127.0.0.1", &chain)).is_err());
    for (mode, encrypted) in [("require", true), ("prefer", true), ("disable", false)] {
        let opened = Postgres::open(&url("127.0.0.1", &format!("sslmode={mode}"))).unwrap();
        assert_eq!(is_encrypted(&opened), encrypted, "{mode}");
    }
    drop(made(&url("localhost", "sslmode=require")));
}

#[test]
fn plain_text_is_refused_where_encryption_is_asked_for() {
    let server = Server::start(&["fsync=off"]);
    let Err(error) = Postgres::open(&format!("{}?sslmode=require", server.url())) else {
        panic!("it is plain")
    };
    assert!(error.to_string().contains("does not support TLS"), "{error}");
    assert!(!is_encrypted(&Postgres::open(&format!("{}?sslmode=prefer", server.url())).unwrap()));
}

/// All that anybody could print of an error.
fn all_of(error: &StoreError) -> String {
    let mut said = format!("{error} {error:?} {error:#?} {}", error.next());
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(said, " {cause} {cause:?}");
        source = cause.source();
    }
    said
}

#[test]
fn a_password_is_in_no_message() {
    let server =
        Server::start(&["fsync=off", "max_connections=5", "superuser_reserved_connections=0"]);
    let port = server.port;
    let with = |rest: &str| format!("postgres://milestone:{PASSWORD}@{rest}");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let urls = [
        with(&format!("127.0.0.1:{}/x", free_port())),
        with(&format!("127.0.0.1:{port}/no_such_database")),
        format!("postgres://nobody:{PASSWORD}@127.0.0.1:{port}/postgres"),
        format!("postgres://milestone:wrong-{PASSWORD}@127.0.0.1:{port}/postgres"),
        with(&format!("127.0.0.1:{port}/postgres?sslmode=require")),
        with(&format!("127.0.0.1:{port}/postgres?sslmode=sometimes")),
        with(&format!("127.0.0.1:{port}/postgres?sslmode=verify-full&sslrootcert=/nowhere")),
        with(&format!("127.0.0.1:{port}/postgres?unknown=1")),
        with("no-such-host.invalid/x"),
        with("127.0.0.1:99999/x"),
        with(&format!("{}/x", silent.local_addr().unwrap())),
        with("[broken/x"),
        format!("host=127.0.0.1 port={port} password={PASSWORD} user=milestone dbname=nothing"),
        format!("host=127.0.0.1 password='{PASSWORD} user=x"),
        format!("mysql://milestone:{PASSWORD}@127.0.0.1/x"),
    ];
    for url in urls {
        let Err(error) = Postgres::open(&url) else { panic!("{url} is open") };
        let said = all_of(&error);
        assert!(!said.contains(PASSWORD) && !said.contains("hunter2"), "{said}");
        assert!(!error.next().is_empty());
    }
    // In the middle of work, too.
    let open = Postgres::open(&server.url()).unwrap();
    let error = open.batch("SELECT nothing FROM nowhere").unwrap_err();
    assert!(!all_of(&error).contains(PASSWORD));
    let _others: Vec<_> = (0..4).map(|_| Postgres::open(&server.url()).unwrap()).collect();
    let Err(error) = Postgres::open(&server.url()) else { panic!("it is full") };
    assert!(!all_of(&error).contains(PASSWORD));
}
