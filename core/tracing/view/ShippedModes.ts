// The display modes that stand without a file, with the original's ids and names.
// Owns the text, in the file's own form; refuses to interpret it. Two things differ from the original on purpose: the full tree goes down
// again after going up, as its guide says it does, and "related" shows what an object names beside its owners.

export const shippedModes = `
configs:
  - id: "00000000"
    name: tree
    steps:
      - { kind: Batch, batchName: initial }
      - { kind: Batch, batchName: final }
  - id: "10000000"
    name: timeline
    steps:
      - { kind: Batch, batchName: initial }
      - { kind: ExtractNesting, matchesPseudoType: { oneOf: [object, incarnation, linkClass] } }
      - { kind: Batch, batchName: final }
  - id: "20000000"
    name: tracing
    steps:
      - { kind: Batch, batchName: initial }
      - { kind: Batch, batchName: collapse }
      - { kind: ExtractNesting, matchesPseudoType: linkClass }
      - { kind: CompactDuration }
      - { kind: Batch, batchName: final }
  - id: "30000000"
    name: grouped
    steps:
      - { kind: Batch, batchName: initial }
      - { kind: Batch, batchName: collapse }
      - { kind: GroupByTraceSource, shouldBeGrouped: { exact: event, negate: true } }
      - { kind: CompactDuration }
      - { kind: Batch, batchName: final }
modifiers:
  "01000000":
    displayName: full tree
    modifierName: link-selector
    priority: 1
    args:
      modifierClass: owner-ref
      includeSiblings: true
      ifAll: [{ linkClass: { oneOf: [children, owned, ""] } }]
      upwardDistance: 3
      downwardDistance: 3
  "02000000":
    displayName: ancestors
    modifierName: link-selector
    priority: 2
    args:
      modifierClass: owner-ref
      ifAll: [{ linkClass: children, fromParent: false }]
      upwardDistance: 3
      downwardDistance: 0
  "04000000":
    displayName: owned objects
    modifierName: link-selector
    priority: 3
    args:
      modifierClass: owner-ref
      ifAll: [{ linkClass: children, fromChild: false }]
      upwardDistance: 0
      downwardDistance: 3
  "08000000":
    displayName: related
    modifierName: link-selector
    priority: 4
    args:
      modifierClass: owner-ref
      upwardDistance: 1
      downwardDistance: 1
batches:
  - name: initial
    steps:
      - { kind: PruneChildless }
      - { kind: ReplaceName }
      - { kind: ObjectTags, resourceTags: [nodes] }
      - { kind: ServiceOperationReplace, traceSource: object, dest: service, source: [resource] }
      - { kind: ServiceOperationReplace, traceSource: object, dest: operation, source: [namespace, name] }
  - name: final
    steps:
      - { kind: ClusterName }
      - { kind: PruneTags }
  - name: collapse
    steps:
      - kind: CollapseNesting
        shouldCollapse: { oneOf: [], negate: true }
        tagMappings:
          audit:
            - { fromSpanTag: userAgent, toLogField: userAgent }
            - { fromSpanTag: sourceIP, toLogField: sourceIP }
          event:
            - { fromSpanTag: action, toLogField: action }
            - { fromSpanTag: source, toLogField: source }
            - { fromSpanTag: type, toLogField: type }
            - { fromSpanTag: count, toLogField: count }
        auditDiffClasses:
          default: { shouldDisplay: true, name: diff, priority: 0 }
          fields:
            - class: { shouldDisplay: true, name: verbose diff, priority: 10 }
              fields: [metadata.resourceVersion, metadata.generation]
            - class: { shouldDisplay: false }
              fields: [metadata.managedFields]
        logTypeMapping:
          event/message: message
          audit/objectSnapshot: snapshot
          realError: error
          realVerbose: note
          kelemetryError: _debug
defaultConfig: "20000000"
`
