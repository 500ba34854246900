//! The least proxy that the edge makes: a tower service that passes requests on over kept hyper
//! connections, no layers, one thread.
//!
//! `floor-edge LISTEN UPSTREAM`

use std::{
    convert::Infallible,
    env,
    error::Error,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body::{Body, Frame, SizeHint};
use hyper::{
    body::Incoming,
    client::conn::http1::{SendRequest, handshake},
};
use hyper_util::rt::TokioIo;
use miroir_edge::{EdgeConfig, Listener, RequestBody, Shutdown};
use tokio::net::TcpStream;

type Connection = SendRequest<RequestBody>;

/// Connections that wait for their next request.
#[derive(Clone)]
struct Pool {
    upstream: SocketAddr,
    host: HeaderValue,
    idle: Arc<Mutex<Vec<Connection>>>,
}

/// An answer's body that gives its connection back at its end.
struct Pooled {
    body: Option<Incoming>,
    connection: Option<(Connection, Pool)>,
}

impl Pool {
    async fn take(&self) -> Result<Connection, Box<dyn Error + Send + Sync>> {
        while let Some(mut connection) = self.idle() {
            if connection.ready().await.is_ok() {
                return Ok(connection);
            }
        }
        let stream = TcpStream::connect(self.upstream).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn pass_on(
        self,
        mut request: Request<RequestBody>,
    ) -> Result<Response<Pooled>, Box<dyn Error + Send + Sync>> {
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
        request.headers_mut().remove(header::CONNECTION);
        request.headers_mut().insert(header::HOST, self.host.clone());
        let mut connection = self.take().await?;
        let answer = connection.send_request(request).await?;
        let connection = Some((connection, self));
        Ok(answer.map(|body| Pooled { body: Some(body), connection }))
    }

    fn idle(&self) -> Option<Connection> {
        self.lock().pop()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Body for Pooled {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = std::task::ready!(Pin::new(&mut *body).poll_frame(cx));
        if (frame.is_none() || body.is_end_stream())
            && let Some((connection, pool)) = self.connection.take()
        {
            pool.lock().push(connection);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let usage = "usage: floor-edge LISTEN UPSTREAM";
    let listen = arguments.next().ok_or(usage)?.parse()?;
    let upstream: SocketAddr = arguments.next().ok_or(usage)?.parse()?;
    let host = HeaderValue::from_str(&upstream.to_string())?;
    let pool = Pool { upstream, host, idle: Arc::default() };
    let service = tower::service_fn(move |request| {
        let pool = pool.clone();
        async move {
            Ok::<_, Infallible>(pool.pass_on(request).await.unwrap_or_else(|error| {
                eprintln!("{error}");
                let mut failed = Response::new(Pooled { body: None, connection: None });
                *failed.status_mut() = StatusCode::BAD_GATEWAY;
                failed
            }))
        }
    });
    let listeners = [Listener::plain(listen)];
    miroir_edge::serve(EdgeConfig::default(), &listeners, service, &Shutdown::on_signals())?;
    Ok(())
}
