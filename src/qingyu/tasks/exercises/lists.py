"""Words that exercises ask for. Those of one line mean nearly the same, and none of them is offered
as a wrong answer where another is right."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

MEASURES = """
本 册 部
张 幅
条 根
只 头 匹
辆 台 架 艘
件 套 身
座 栋 幢 所
间 家
棵 株
朵 束
片 块
杯 瓶 壶 碗 盘
双 对
支 枝
把
位 名
首 篇
场 阵 顿
颗 粒 滴
口
扇
盏
封
顶
面
枚
"""
CONJUNCTIONS = """
因为 由于
所以 因此 因而 于是
虽然 尽管 虽说
但是 可是 不过 然而 但
如果 要是 假如 倘若 假使
即使 就算 哪怕 纵然
而且 并且
不但 不仅 不只
只要 一旦
只有
除非
无论 不论 不管
或者 或是
否则 不然
与其
宁可 宁愿
既然
以便
以免 免得
首先
然后 接着
最后
"""
IDIOMS = """
一心一意 全心全意 专心致志 聚精会神
三心二意 心不在焉 心猿意马
兴高采烈 欢天喜地 手舞足蹈 喜气洋洋
垂头丧气 无精打采 灰心丧气
画蛇添足 多此一举
守株待兔
亡羊补牢
掩耳盗铃 自欺欺人
刻舟求剑
井底之蛙
狐假虎威
对牛弹琴
杯弓蛇影 草木皆兵
拔苗助长
自相矛盾
滥竽充数
叶公好龙
胸有成竹
半途而废 功亏一篑
坚持不懈 持之以恒 锲而不舍
废寝忘食 夜以继日
大公无私 公而忘私
助人为乐 乐于助人
舍己为人
见义勇为
恍然大悟 茅塞顿开
迫不及待 急不可耐
小心翼翼 谨小慎微
粗心大意 马马虎虎
五颜六色 五彩缤纷 五光十色
鸟语花香 春暖花开
风和日丽 晴空万里
倾盆大雨 狂风暴雨
冰天雪地 天寒地冻
山清水秀 山明水秀
人山人海 人来人往 车水马龙 络绎不绝
万紫千红 百花齐放
四面八方
千变万化 变化多端
千军万马
千方百计 想方设法
成千上万 不计其数
七上八下 忐忑不安
七嘴八舌 议论纷纷
争先恐后
自言自语
大吃一惊 目瞪口呆
理直气壮
异口同声
不约而同
无忧无虑
名列前茅
名胜古迹
来之不易
后悔莫及
津津有味
津津乐道
栩栩如生 惟妙惟肖 活灵活现
依依不舍 恋恋不舍
一丝不苟 精益求精
一目了然
一帆风顺
一鸣惊人
一举两得 一箭双雕
百发百中
百折不挠
不知不觉
不可思议
与众不同
日新月异
天长地久
天涯海角
地大物博
风雨同舟 同舟共济
画龙点睛
愚公移山
精卫填海
闻鸡起舞
卧薪尝胆
纸上谈兵
望梅止渴
指鹿为马
完璧归赵
负荆请罪
破釜沉舟
四通八达
随机应变
实事求是
因地制宜
脚踏实地
循序渐进
温故知新
举一反三
熟能生巧
勤能补拙
学以致用
博览群书
名副其实
名不虚传
引人入胜
流连忘返
赞不绝口
爱不释手
得心应手
供不应求
雪中送炭
锦上添花
火上浇油
水滴石穿
南辕北辙
"""


class WordList(NamedTuple):
    """Words of a kind, and for each those that mean nearly the same, itself among them."""

    words: tuple[str, ...]
    alike: dict[str, frozenset[str]]


@cache
def word_list(lines: str) -> WordList:
    groups = [frozenset(line.split()) for line in lines.split("\n") if line]
    words = tuple(word for line in lines.split("\n") for word in line.split())
    return WordList(words, {word: group for group in groups for word in group})
