"""Texts the tiny checkpoints are asked about; their vocabularies are made from these too."""

TEXTS = [
    "今天天气真好，适合出去玩。",
    "我在北京大学学习人工智能。",
    "上海是一座很大的城市。",
    "这家店的味道不错，下次还来！",
    "太差了，再也不会买了。",
    "小明和小红明天去广州参加比赛。",
    "主队在最后一分钟进球，赢得了冠军。",
    "公司去年的收入增长了百分之二十。",
    "Python 3.11 is faster than 3.10.",
    "我用 Python 写了一个小程序，大约200行。",
    "iPhone的电池可以用两天。",
    "医生说：多喝水、多休息，就会好。",
    "王小明住在上海，在Google工作；李红在 New York 读书。",
    "“你好！”她笑着说。",
    "一只猫在窗台上睡觉，另一只在等鱼。",
    "书",
    "中国人民银行宣布下调利率(0.25%)。",
    "café 和 naïve 都是外来词。",
    "北京的冬天很冷，可是屋子里很暖和，大家围着桌子吃火锅，说着一年里的新鲜事，"
    "孩子们在窗边看雪，等到半夜，钟声响起，人们走出门，互相问好。",
    "新来的老师姓陈，教我们数学，他说：“错了没关系，再想一想。”",
]

UNKNOWN = "他养了一只🙂魑魅，名叫Zoë。"
"""Holds characters that no tiny vocabulary has, an emoji outside the basic plane and an accent."""

PAIRS = [
    ("今天天气真好。", "今天下雨了。"),
    ("怎么写程序？", "如何学习 Python"),
    ("小明住在上海，在Google工作。", "他住在北京。"),
    ("书", "这是一只猫。"),
]

LABELS = ["体育", "财经", "科技", "健康", "天气"]
TEMPLATES = ["这句话的主题是{}。", "这是一条关于{}的新闻。"]

# Multi-character pieces of the Unigram vocabularies.
WORDS = ["今天", "天气", "北京", "上海", "大学", "人工", "智能", "小明", "公司", "中国", "人民"]
WORDS += ["银行", "明天", "主题", "新闻", "学习", "程序"]

# WordPiece entries beyond single letters and digits.
LATIN_PIECES = ["python", "##ing", "##er", "go", "##ogle", "fast", "is", "than", "phone"]
LATIN_PIECES += ["new", "york"]
