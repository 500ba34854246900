//! One conversation, from the client's question to the model's last word.

use bytes::Bytes;
use miroir_chat::{Conversation, DONE, Fault, Outcome, RETRY, Step, ToolCall, event};
use uuid::Uuid;

use super::{
    body::Events,
    metrics::Tokens,
    model::{Answer, Model},
    search::Searcher,
};

/// A conversation and what it takes.
pub(super) struct Talk {
    pub(super) model: Result<Model, Fault>,
    pub(super) tokens: Tokens,
    pub(super) conversation: Conversation,
    pub(super) searcher: Searcher,
}

/// Why a conversation breaks off.
enum Broken {
    /// The client is told this.
    Fault(Fault),
    /// The client has left.
    Gone,
}

// === impl Talk ===

impl Talk {
    /// Talks until one of the three has nothing more to say, and says so.
    pub(super) async fn run(mut self, events: Events) {
        if events.send(Bytes::from_static(RETRY)).await.is_err() {
            return;
        }
        match self.talk(&events).await {
            Ok(()) => {}
            Err(Broken::Gone) => return,
            Err(Broken::Fault(fault)) => {
                tracing::warn!(%fault, "a conversation with a model broke off");
                let _ = send(&events, &fault.to_json(Uuid::new_v4())).await;
            }
        }
        let _ = send(&events, DONE).await;
    }

    async fn talk(&mut self, events: &Events) -> Result<(), Broken> {
        let model = self.model.clone()?;
        loop {
            let mut answer = model.ask(self.conversation.ask()).await?;
            self.listen(&mut answer, events).await?;
            let mut step = self.conversation.end();
            if let Step::Search(calls) = step {
                self.answer(calls, events).await?;
                step = self.conversation.end();
            }
            if step != Step::Again {
                return Ok(());
            }
            answer.finish().await;
        }
    }

    /// Listens to one answer of the model.
    async fn listen(&mut self, answer: &mut Answer, events: &Events) -> Result<(), Broken> {
        while let Some(chunk) = answer.next().await? {
            if let Some(usage) = chunk.usage() {
                self.tokens.count(usage);
            }
            match self.conversation.take(chunk)? {
                Step::Send(data) => send(events, &data).await?,
                Step::Search(calls) => self.answer(calls, events).await?,
                Step::Wait | Step::Again => {}
                Step::Over => break,
            }
        }
        Ok(())
    }

    async fn answer(&mut self, calls: Vec<ToolCall>, events: &Events) -> Result<(), Broken> {
        for call in calls {
            for data in self.conversation.begin(&call) {
                send(events, &data).await?;
            }
            let outcome = match call.search() {
                Ok(search) => self.searcher.search(search).await,
                Err(why) => Outcome::Unfit(why),
            };
            for data in self.conversation.finish(&call, outcome)? {
                send(events, &data).await?;
            }
        }
        Ok(())
    }
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

async fn send(events: &Events, data: &str) -> Result<(), Broken> {
    events.send(event(data).into()).await.map_err(|_| Broken::Gone)
}
