//! Several nodes' answers to one. Pure, works on the answers' bytes.
