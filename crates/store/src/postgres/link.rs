//! One connection to a server, and what moves its bytes: every wait on it has an end.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::{Client, Error};

use super::address::Address;

/// How long a server is given to hear that we leave.
const LEAVE_MAX: Duration = Duration::from_millis(100);

pub struct Link {
    runtime: Runtime,
    client: Option<Client>,
    moving: JoinHandle<()>,
    version: Option<u32>,
}

impl Link {
    /// `None` if the server accepted and then said nothing for too long.
    pub fn new(address: &Address) -> io::Result<Option<Result<Self, Error>>> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let connecting = address.config.connect(address.tls.clone());
        let connected = runtime.block_on(within(address.connect_max, connecting));
        Ok(connected.map(|connected| {
            let (client, connection) = connected?;
            let version = connection.parameter("server_version").and_then(major);
            let moving = runtime.spawn(async move {
                // Whoever asks next is told that the connection ended.
                let _ = connection.await;
            });
            Ok(Self { runtime, client: Some(client), moving, version })
        }))
    }

    pub fn version(&self) -> Option<u32> {
        self.version
    }

    /// `None` if the answer did not come in time.
    pub fn ask<T>(
        &self,
        wait: Duration,
        work: impl AsyncFnOnce(&Client) -> Result<T, Error>,
    ) -> Option<Result<T, Error>> {
        let client = self.client.as_ref()?;
        self.runtime.block_on(within(wait, work(client)))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        drop(self.client.take());
        let leaving = within(LEAVE_MAX, &mut self.moving);
        let _ = self.runtime.block_on(leaving);
    }
}

async fn within<T>(wait: Duration, work: impl Future<Output = T>) -> Option<T> {
    timeout(wait, work).await.ok()
}

/// `15` of `15.8 (Debian 15.8-0+deb12u1)`.
fn major(version: &str) -> Option<u32> {
    let digits = version.split(|letter: char| !letter.is_ascii_digit()).next()?;
    digits.parse().ok()
}
