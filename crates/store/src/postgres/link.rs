//! One connection to a server, and what moves its bytes: every wait on it has an end.

use std::future::{Future, poll_fn};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, Client, Error};

use super::address::Address;

/// How long a server is given to hear that we leave.
const LEAVE_MAX: Duration = Duration::from_millis(100);

pub struct Link {
    runtime: Runtime,
    client: Option<Client>,
    moving: JoinHandle<()>,
    version: Option<u32>,
    told: Arc<Notify>,
}

impl Link {
    /// `None` if the server accepted and then said nothing for too long.
    pub fn new(address: &Address) -> io::Result<Option<Result<Self, Error>>> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let connecting = address.config.connect(address.tls.clone());
        let connected = runtime.block_on(within(address.connect_max, connecting));
        Ok(connected.map(|connected| {
            let (client, mut connection) = connected?;
            let version = connection.parameter("server_version").and_then(major);
            let told = Arc::new(Notify::new());
            let tell = told.clone();
            let moving = runtime.spawn(async move {
                loop {
                    match poll_fn(|context| connection.poll_message(context)).await {
                        Some(Ok(AsyncMessage::Notification(_))) => tell.notify_one(),
                        Some(Ok(_)) => {}
                        // Whoever asks next is told that the connection ended.
                        None | Some(Err(_)) => break,
                    }
                }
                tell.notify_one();
            });
            Ok(Self { runtime, client: Some(client), moving, version, told })
        }))
    }

    pub fn version(&self) -> Option<u32> {
        self.version
    }

    pub fn is_over(&self) -> bool {
        self.moving.is_finished()
    }

    /// Waits until the server tells us what we listen for, or the connection is over.
    pub fn listen(&self, wait: Duration) {
        self.runtime.block_on(within(wait, self.told.notified()));
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

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn a_servers_version_is_told_by_its_first_number() {
        assert_eq!(major("15.8 (Debian 15.8-0+deb12u1)"), Some(15));
        assert_eq!(major("9.6.24"), Some(9));
        assert_eq!(major("17beta1"), Some(17));
        assert_eq!(major("unknown"), None);
    }
}
