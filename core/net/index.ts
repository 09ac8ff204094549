export * from "./Protobuf.ts"
export * from "./ProtoMessage.ts"
