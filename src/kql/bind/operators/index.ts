// Operators by the kind of their syntax node.

import type { SyntaxNode } from "../../syntax/node.ts";
import type { Scope } from "../scope.ts";
import type { Bound, Session } from "../session.ts";
import { bindPrint, bindRange } from "../sources.ts";
import { bindJoin, bindLookup } from "./join.ts";
import { bindCount, bindSample, bindSampleDistinct, bindSort, bindTake, bindTop, bindTopHitters } from "./order.ts";
import {
  bindDistinct,
  bindExtend,
  bindGetSchema,
  bindProject,
  bindProjectAway,
  bindProjectKeep,
  bindProjectRename,
  bindProjectReorder,
  bindWhere,
} from "./shape.ts";
import { bindSummarize } from "./summarize.ts";
import { bindConsume, bindFacet, bindFork, bindInvoke } from "./invoke.ts";
import { bindMvApply, bindMvExpand, bindPartition } from "./expand.ts";
import { bindParse, bindParseKv, bindParseWhere } from "./parse.ts";
import { bindReduce } from "./reduce.ts";
import { bindScan } from "./scan.ts";
import { bindEvaluate } from "./evaluate.ts";
import { bindFind, bindSearch } from "./search.ts";
import { bindMakeSeries } from "./series.ts";
import { bindTopNested } from "./top-nested.ts";
import { bindUnion } from "./union.ts";

type Operator = (session: Session, node: SyntaxNode, input: Bound, scope: Scope) => Bound;

export const operators: Readonly<Record<string, Operator>> = {
  FilterOperator: bindWhere,
  ExtendOperator: bindExtend,
  SerializeOperator: bindExtend,
  ProjectOperator: bindProject,
  ProjectAwayOperator: bindProjectAway,
  ProjectKeepOperator: bindProjectKeep,
  ProjectRenameOperator: bindProjectRename,
  ProjectReorderOperator: bindProjectReorder,
  DistinctOperator: bindDistinct,
  GetSchemaOperator: bindGetSchema,
  SortOperator: bindSort,
  TopOperator: bindTop,
  TakeOperator: bindTake,
  SampleOperator: bindSample,
  SampleDistinctOperator: bindSampleDistinct,
  CountOperator: bindCount,
  TopHittersOperator: bindTopHitters,
  SummarizeOperator: bindSummarize,
  JoinOperator: bindJoin,
  LookupOperator: bindLookup,
  UnionOperator: (session, node, input, scope) => bindUnion(session, node, scope, input),
  MvExpandOperator: bindMvExpand,
  MvApplyOperator: bindMvApply,
  PartitionOperator: bindPartition,
  ParseOperator: bindParse,
  ParseWhereOperator: bindParseWhere,
  ParseKvOperator: bindParseKv,
  MakeSeriesOperator: bindMakeSeries,
  SearchOperator: (session, node, input, scope) => bindSearch(session, node, scope, input),
  FindOperator: (session, node, input, scope) => bindFind(session, node, scope, input),
  TopNestedOperator: bindTopNested,
  ReduceByOperator: bindReduce,
  ScanOperator: bindScan,
  EvaluateOperator: bindEvaluate,
  InvokeOperator: bindInvoke,
  ConsumeOperator: bindConsume,
  ForkOperator: bindFork,
  FacetOperator: bindFacet,
};

export const leadingOperators: Readonly<Record<string, (session: Session, node: SyntaxNode, scope: Scope) => Bound>> = {
  PrintOperator: bindPrint,
  RangeOperator: bindRange,
  UnionOperator: bindUnion,
  SearchOperator: bindSearch,
  FindOperator: bindFind,
};
