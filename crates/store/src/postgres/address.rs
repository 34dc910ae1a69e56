//! Where a server is, who asks, and how the way there is protected.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::tls::{Tls, Trust};
use crate::Result;
use crate::error::StoreError;

/// How long a server may take until it has let us in.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How soon it is noticed that a host has gone without a word.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 3;
const UNHEARD_MAX: Duration = Duration::from_secs(20);

/// Everything that connecting needs.
pub struct Address {
    pub config: Config,
    pub tls: Tls,
    /// What the server is called in messages: without its password.
    pub name: String,
    pub connect_max: Duration,
}

/// What the environment adds to a URL.
#[derive(Default)]
pub struct Surroundings {
    pub password: Option<String>,
    /// `~/.pgpass`, or what `PGPASSFILE` names.
    pub passwords: Option<PathBuf>,
    pub root_certificates: Option<PathBuf>,
}

impl Surroundings {
    pub fn of_this_process() -> Self {
        let file = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let home = file("HOME").map(|home| home.join(".pgpass"));
        Self {
            password: std::env::var("PGPASSWORD").ok(),
            passwords: file("PGPASSFILE").or(home),
            root_certificates: file("PGSSLROOTCERT"),
        }
    }
}

/// What of a URL is for us to understand, not for the driver.
#[derive(Default)]
struct Protection {
    mode: Option<String>,
    root_certificates: Option<PathBuf>,
}

impl Address {
    pub fn of(url: &str, surroundings: &Surroundings) -> Result<Self> {
        let (url, protection) = parted(url);
        // The driver's own words could repeat what stands in the URL.
        let mut config: Config = url.parse().map_err(|_| {
            misconfigured("it is not a URL such as postgres://user@host/database?sslmode=require")
        })?;
        config.connect_timeout(*config.get_connect_timeout().unwrap_or(&CONNECT_MAX));
        let connect_max = *config.get_connect_timeout().unwrap_or(&CONNECT_MAX);
        bound(&mut config);
        if config.get_password().is_none()
            && let Some(password) = password(&config, surroundings)?
        {
            config.password(password);
        }
        let tls = protect(&mut config, protection, surroundings)?;
        let name = name(&config);
        Ok(Self { config, tls, name, connect_max })
    }
}

fn misconfigured(message: &str) -> StoreError {
    StoreError::Configuration { setting: "storage.postgres_url".into(), message: message.into() }
}

/// Without these a host that is gone would be waited for by the hour.
fn bound(config: &mut Config) {
    config.keepalives(true);
    config.keepalives_idle(KEEPALIVE_IDLE);
    config.keepalives_interval(KEEPALIVE_INTERVAL);
    config.keepalives_retries(KEEPALIVE_RETRIES);
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(UNHEARD_MAX);
    }
    if config.get_application_name().is_none() {
        config.application_name("milestone");
    }
}

/// Takes what protects the connection out of a URL: the driver knows fewer modes than people do.
fn parted(url: &str) -> (String, Protection) {
    let mut protection = Protection::default();
    let Some((place, query)) = url.split_once('?') else { return (url.to_owned(), protection) };
    let mut rest = Vec::new();
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslmode", mode)) => protection.mode = Some(mode.to_owned()),
            Some(("sslrootcert", file)) => {
                protection.root_certificates = Some(unescaped(file).into());
            }
            _ => rest.push(pair),
        }
    }
    let mark = if rest.is_empty() { "" } else { "?" };
    (format!("{place}{mark}{}", rest.join("&")), protection)
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What stays on this host needs no protection; everything else has it wherever the server can.
fn protect(
    config: &mut Config,
    protection: Protection,
    surroundings: &Surroundings,
) -> Result<Tls> {
    let certificates =
        protection.root_certificates.or_else(|| surroundings.root_certificates.clone());
    let near = config.get_hosts().iter().all(is_near)
        && config.get_hostaddrs().iter().all(IpAddr::is_loopback);
    let mode = protection.mode.unwrap_or(if near { "disable" } else { "prefer" }.to_owned());
    let (mode, trust) = match mode.as_str() {
        "disable" => (SslMode::Disable, Trust::Anybody),
        "allow" | "prefer" => (SslMode::Prefer, Trust::Anybody),
        // With certificates at hand, a server that has none of theirs is not the one that is meant.
        "require" => match certificates {
            Some(certificates) => (SslMode::Require, Trust::Chain(Some(certificates))),
            None => (SslMode::Require, Trust::Anybody),
        },
        "verify-ca" => (SslMode::Require, Trust::Chain(certificates)),
        "verify-full" => (SslMode::Require, Trust::ChainAndName(certificates)),
        _ => {
            return Err(misconfigured(
                "sslmode is disable, prefer, require, verify-ca or verify-full",
            ));
        }
    };
    config.ssl_mode(mode);
    if mode == SslMode::Disable { Ok(Tls::none()) } else { Tls::new(trust) }
}

fn is_near(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

/// Where it is, for people: never with a password.
fn name(config: &Config) -> String {
    let mut name = "PostgreSQL at ".to_owned();
    match config.get_hosts().first() {
        Some(Host::Tcp(host)) => name.push_str(host),
        Some(Host::Unix(path)) => {
            let _ = write!(name, "{}", path.display());
        }
        None => name.push_str("localhost"),
    }
    if let Some(port) = config.get_ports().first() {
        let _ = write!(name, ":{port}");
    }
    let _ = write!(name, "/{}", config.get_dbname().unwrap_or_default());
    name
}

fn password(config: &Config, surroundings: &Surroundings) -> Result<Option<String>> {
    if let Some(password) = &surroundings.password {
        return Ok(Some(password.clone()));
    }
    match &surroundings.passwords {
        Some(file) => password_in(file, config),
        None => Ok(None),
    }
}

/// Passwords that others can read are not used, as other programs do it, too.
fn password_in(file: &Path, config: &Config) -> Result<Option<String>> {
    use std::os::unix::fs::PermissionsExt as _;
    let Ok(metadata) = std::fs::metadata(file) else { return Ok(None) };
    if !metadata.is_file() {
        return Ok(None);
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(StoreError::Configuration {
            setting: file.display().to_string(),
            message: "others can read it, so no password is taken from it: `chmod 600` it".into(),
        });
    }
    let text = std::fs::read_to_string(file).map_err(StoreError::io("read", file))?;
    Ok(text.lines().find_map(|line| password_of(line, config)))
}

/// The password of `host:port:database:user:password` if the line is about this server.
fn password_of(line: &str, config: &Config) -> Option<String> {
    let mut fields = vec![String::new()];
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ':' if fields.len() < 5 => fields.push(String::new()),
            '\\' => fields.last_mut()?.extend(letters.next()),
            other => fields.last_mut()?.push(other),
        }
    }
    let [host, port, database, user, password] = <[String; 5]>::try_from(fields).ok()?;
    let here = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        Some(Host::Unix(_)) | None => "localhost".to_owned(),
    };
    let own_port = config.get_ports().first().copied().unwrap_or(5432).to_string();
    let own_user = config.get_user().unwrap_or_default();
    let own_database = config.get_dbname().unwrap_or(own_user);
    let same = |field: &str, own: &str| field == "*" || field == own;
    let ours = !line.starts_with('#')
        && same(&host, &here)
        && same(&port, &own_port)
        && same(&database, own_database)
        && same(&user, own_user);
    ours.then_some(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> Config {
        url.parse().unwrap()
    }

    #[test]
    fn the_way_to_another_host_is_protected_where_it_can_be() {
        let mode = |url: &str| {
            let address = Address::of(url, &Surroundings::default()).unwrap();
            address.config.get_ssl_mode()
        };
        assert_eq!(mode("postgres://me@127.0.0.1/plans"), SslMode::Disable);
        assert_eq!(mode("postgres://me@[::1]/plans"), SslMode::Disable);
        assert_eq!(mode("postgres://me@localhost/plans"), SslMode::Disable);
        assert_eq!(mode("postgres:///plans?host=/run/postgresql"), SslMode::Disable);
        assert_eq!(mode("postgres://me@db.example/plans"), SslMode::Prefer);
        assert_eq!(mode("postgres://me@db.example/plans?sslmode=require"), SslMode::Require);
        assert_eq!(mode("postgres://me@127.0.0.1/plans?sslmode=prefer"), SslMode::Prefer);
    }

    #[test]
    fn an_unknown_mode_is_named_and_nothing_else_of_the_url() {
        let url = "postgres://me:hunter2@db.example/plans?sslmode=on";
        let Err(error) = Address::of(url, &Surroundings::default()) else { panic!("it is known") };
        assert!(error.to_string().contains("verify-full"), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }

    #[test]
    fn a_password_is_found_where_other_programs_find_it() {
        let here = config("postgres://ada@db.example:5433/plans");
        let found = |line: &str| password_of(line, &here);
        assert_eq!(found("db.example:5433:plans:ada:a\\:b:c").as_deref(), Some("a:b:c"));
        assert_eq!(found("*:*:*:*:x").as_deref(), Some("x"));
        assert_eq!(found("db.example:5432:plans:ada:x"), None);
        assert_eq!(found("#*:*:*:*:x"), None);
        assert_eq!(found("nonsense"), None);
    }

    #[test]
    fn a_file_of_passwords_that_others_can_read_is_not_used() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pgpass");
        std::fs::write(&file, "*:*:*:*:secret\n").unwrap();
        let here = config("postgres://ada@db.example/plans");
        let mode = |mode| std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&file, mode(0o644)).unwrap();
        let error = password_in(&file, &here).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
        std::fs::set_permissions(&file, mode(0o600)).unwrap();
        assert_eq!(password_in(&file, &here).unwrap().as_deref(), Some("secret"));
    }

    #[test]
    fn a_path_in_a_url_may_be_escaped() {
        assert_eq!(unescaped("/a%20b/c%"), "/a b/c%");
    }
}
