// Calls whose sender another node has identified already: where tokens are known to the leader alone, it is asked who calls, and the
// answer about this node is given here.
// Owns this mark for as long as the call lives; refuses to know who vouched, which the router does.
import type { CallInfo } from "#net"

const vouched = new WeakSet<CallInfo>()

/** The sender is a user of this store. */
export const vouchFor = (call: CallInfo): void => void vouched.add(call)

export const isVouchedFor = (call: CallInfo): boolean => vouched.has(call)
