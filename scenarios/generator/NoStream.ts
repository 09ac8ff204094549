// A stream that leads nowhere, for those who hold one before it is open and after its connection is lost.
// Owns no state: it takes everything, as a stream does whose end has not been heard of yet.
import type { ClientStream } from "#net"

/** Takes what is sent and tells nothing. */
export const noStream: ClientStream = {
  send: () => true,
  halfClose: () => undefined,
  cancel: () => undefined,
  pause: () => undefined,
  resume: () => undefined,
  bufferedBytes: 0
}
