//! The least proxy that pingora-proxy makes: one upstream, no filters, one thread.
//!
//! `floor-pingora LISTEN UPSTREAM`

use std::{env, error::Error, sync::Arc};

use async_trait::async_trait;
use pingora_core::{
    Result,
    server::{Server, configuration::ServerConf},
    upstreams::peer::HttpPeer,
};
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};

struct ToUpstream(String);

#[async_trait]
impl ProxyHttp for ToUpstream {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.0.as_str(), false, String::new())))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let usage = "usage: floor-pingora LISTEN UPSTREAM";
    let (listen, upstream) = (arguments.next().ok_or(usage)?, arguments.next().ok_or(usage)?);
    let configuration = ServerConf { threads: 1, ..ServerConf::default() };
    let mut server = Server::new_with_opt_and_conf(None, configuration);
    server.bootstrap();
    let mut proxy = http_proxy_service(&Arc::clone(&server.configuration), ToUpstream(upstream));
    proxy.add_tcp(&listen);
    server.add_service(proxy);
    server.run_forever()
}
