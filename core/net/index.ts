// The door of the room: HTTP/2 and gRPC on sockets, server and client. Owns what other rooms may use; everything else in this
// folder is the room's own business.
export {
  type CertificateAuthority,
  type KeyPair,
  type LeafRequest,
  loadAuthority,
  makeAuthority,
  newKeys
} from "./CertificateAuthority.ts"
export { callUnary, connect, type ConnectOptions } from "./Connect.ts"
export { connectHttp, type ConnectHttpOptions, type HttpUpgraded, upgradeHttp } from "./ConnectHttp.ts"
export type {
  CallInfo,
  CallOptions,
  ClientCall,
  ClientListener,
  ClientStream,
  GrpcClient,
  GrpcMethod,
  OutSpace,
  StreamCall,
  StreamListener,
  StreamMethod,
  UnaryCall,
  UnaryMethod
} from "./Contract.ts"
export { GrpcCode, grpcCodeName } from "./GrpcCode.ts"
export type {
  HttpAnswerListener,
  HttpBody,
  HttpClient,
  HttpClientRequest,
  HttpExchange,
  HttpExchangeHandler,
  HttpFields,
  HttpRequestHead,
  PeerCertificate
} from "./HttpExchange.ts"
export { type HttpHandler, type HttpRequest, type HttpResponse, textResponse } from "./Http.ts"
export type { KeepaliveOptions } from "./Keepalive.ts"
export { listen, type Listening, type ListenOptions, type ListenStats } from "./Listen.ts"
export { ConnectFailed, GrpcStatus, ListenFailed, type NetError, RequestFailed } from "./NetError.ts"
export {
  type ClientTls,
  type ListenTls,
  type ServerTls,
  type TlsIdentity,
  tlsIdentityProblem,
  type TlsSelect
} from "./Tls.ts"
export {
  int64,
  type Int64,
  int64Size,
  ProtoError,
  ProtoReader,
  ProtoWriter,
  varintSize,
  writeInt64,
  writeVarint
} from "./Protobuf.ts"
export { type Field, field, list, many, Message, message, type MessageType, one, optional } from "./ProtoMessage.ts"
