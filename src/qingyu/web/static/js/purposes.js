// @ts-check
// What people come for: each with a view, one worked example that is right, and the state that shows
// it. tests/page/test_start.py asks the model for every one of them.
const REVIEW = "房间很干净，前台也热情，下次还住这里。";
const NAMES = "王小明在北京大学读书。";
const TICKET = "帮我订一张明天上午去上海的高铁票。";

export const PURPOSES = [
  {
    id: "check",
    task: "check",
    params: { text: "今天天汽真好，适合出去玩。" },
    gives: "今天天气真好，适合出去玩。",
  },
  {
    id: "fill-mask",
    task: "fill-mask",
    params: { text: "北京是中国的首[MASK]。" },
    gives: "北京是中国的首都。",
  },
  {
    id: "exercise",
    task: "exercise",
    params: { text: "家门口有一棵大树。" },
    gives: "家门口有一（1）____大树。",
  },
  { id: "classify", task: "text-classification", params: { text: REVIEW }, gives: "正面" },
  {
    id: "zero-shot",
    task: "zero-shot-classification",
    params: { text: TICKET, labels: '["订票","查天气","放音乐"]' },
    gives: "订票",
  },
  {
    id: "similarity",
    task: "sentence-similarity",
    params: { text: "退款多久能到账", many: "true", other: "申请退款后几天到账？\n如何取消订单\n发票怎么开" },
    gives: "申请退款后几天到账？",
  },
  { id: "entities", task: "token-classification", params: { text: NAMES }, gives: "王小明、北京大学" },
  { id: "library", task: "search" },
  { id: "teach", task: "feature-extraction" },
  { id: "files" },
];
