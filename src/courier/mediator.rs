use std::time::Duration;

use async_trait::async_trait;
use futures::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async_tls_with_config};
use url::{Host, Url};

use super::address::allowed;
use super::inbox::{ENCRYPTED, HttpCourier};
use super::statement::why;
use crate::inbox::MAX_OUTER;
use crate::node::{Connection, MediatorCourier, NotDelivered};

/// How long a connection may take to stand.
const WITHIN: Duration = Duration::from_secs(10);
/// How long a connection may be silent, pings included: a mediator sends one every half minute.
const SILENCE: Duration = Duration::from_secs(100);

#[async_trait]
impl MediatorCourier for HttpCourier {
    async fn ask(&self, inbox: &str, envelope: Vec<u8>) -> Result<Option<Vec<u8>>, NotDelivered> {
        let url = self.policy.allow(inbox).map_err(|refusal| NotDelivered(refusal.to_string()))?;
        let request = self.client.post(url).header("content-type", ENCRYPTED).body(envelope);
        let mut answer = request.send().await.map_err(|cause| NotDelivered(cause.without_url().to_string()))?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|cause| NotDelivered(cause.without_url().to_string()))? {
            if body.len() + chunk.len() > MAX_OUTER {
                return Err(NotDelivered("the mediator's answer is too long".into()));
            }
            body.extend_from_slice(&chunk);
        }
        if !status.is_success() {
            return Err(NotDelivered(format!("the mediator answered {status} {}", why(&body))));
        }
        Ok((!body.is_empty()).then_some(body))
    }

    async fn connect(&self, inbox: &str) -> Result<Box<dyn Connection>, NotDelivered> {
        let url = self.policy.allow(inbox).map_err(|refusal| NotDelivered(refusal.to_string()))?;
        let opening = open(self, url);
        let socket = timeout(WITHIN, opening).await.map_err(|_| NotDelivered("no connection in time".into()))??;
        Ok(Box::new(Socket(socket)))
    }
}

async fn open(courier: &HttpCourier, url: Url) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, NotDelivered> {
    let failed = |cause: &dyn std::fmt::Display| NotDelivered(cause.to_string());
    let port = url.port_or_known_default().ok_or_else(|| NotDelivered("the URL names no port".into()))?;
    // The address that was judged is the address that is connected to.
    let addresses = match url.host() {
        Some(Host::Domain(name)) => allowed(courier.policy, name, port).await.map_err(|cause| failed(&cause))?,
        Some(Host::Ipv4(ip)) => vec![(ip, port).into()],
        Some(Host::Ipv6(ip)) => vec![(ip, port).into()],
        None => return Err(NotDelivered("the URL names no host".into())),
    };
    let stream = TcpStream::connect(&addresses[..]).await.map_err(|cause| failed(&cause))?;
    let mut target = url;
    let scheme = if target.scheme() == "https" { "wss" } else { "ws" };
    // Both pairs are schemes that a URL may be given.
    target.set_scheme(scheme).map_err(|()| NotDelivered("the URL has no other scheme".into()))?;
    let mut config = WebSocketConfig::default();
    config.max_message_size = Some(MAX_OUTER);
    config.max_frame_size = Some(MAX_OUTER);
    let opened = client_async_tls_with_config(target.as_str(), stream, Some(config), None).await;
    Ok(opened.map_err(|cause| failed(&cause))?.0)
}

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

#[async_trait]
impl Connection for Socket {
    async fn send(&mut self, envelope: Vec<u8>) -> Result<(), NotDelivered> {
        let text = String::from_utf8(envelope).map_err(|_| NotDelivered("the envelope is no text".into()))?;
        let sent = timeout(WITHIN, self.0.send(Message::text(text))).await;
        let sent = sent.map_err(|_| NotDelivered("the mediator does not take what it is sent".into()))?;
        sent.map_err(|cause| NotDelivered(cause.to_string()))
    }

    async fn next(&mut self) -> Result<Vec<u8>, NotDelivered> {
        loop {
            let frame = timeout(SILENCE, self.0.next()).await;
            let frame = frame.map_err(|_| NotDelivered("the mediator has fallen silent".into()))?;
            match frame {
                Some(Ok(Message::Text(text))) => return Ok(text.as_bytes().to_vec()),
                Some(Ok(Message::Binary(bytes))) => return Ok(bytes.to_vec()),
                Some(Ok(Message::Close(_))) | None => {
                    return Err(NotDelivered("the mediator ended the connection".into()));
                }
                // Pings are answered while reading.
                Some(Ok(_)) => {}
                Some(Err(cause)) => return Err(NotDelivered(cause.to_string())),
            }
        }
    }
}
