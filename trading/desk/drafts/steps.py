"""The steps of preparing a tender: which fields each page asks for, with their articles.

What the law asks is told at the last step, all at once (trading/rules/publication.py), and at the field where the page
can say it earlier.
"""

from __future__ import annotations

from collections.abc import Mapping

from trading.counter.page.forms import Field
from trading.desk.drafts.step import Rows, Step

YES_NO = (("yes", "是", "yes"), ("no", "否", "no"))
SECTORS = (
    ("municipal", "市政", "municipal works"),
    ("housing", "房屋建筑", "buildings"),
    ("road", "公路", "roads"),
    ("water", "水利", "water works"),
    ("energy", "能源", "energy"),
    ("industry", "工业", "industry"),
    ("information", "信息网络", "information networks"),
    ("other", "其他", "other"),
)
STAGES = (
    ("form", "形式评审", "form"),
    ("qualification", "资格评审", "qualification"),
    ("response", "响应性评审", "response"),
)
GROUNDS = (
    ("1", "① 未盖章且未签字", "1 neither seal nor signature"),
    ("2", "② 联合体无共同投标协议", "2 consortium without agreement"),
    ("3", "③ 不符合资格条件", "3 not qualified"),
    ("4", "④ 两份不同投标或报价", "4 two different bids or prices"),
    ("5", "⑤ 低于成本或高于最高投标限价", "5 below cost or above the max price"),
    ("6", "⑥ 未响应实质性要求", "6 not responsive"),
    ("7", "⑦ 串通投标、弄虚作假、行贿", "7 collusion, fraud, bribery"),
)
KINDS = (("subjective", "主观分", "subjective"), ("objective", "客观分", "objective"))
TIES = (
    ("price,points,draw", "报价低者优先,其次得分高者,最后抽签", "lower price, then more points, then a draw"),
    ("points,price,draw", "得分高者优先,其次报价低者,最后抽签", "more points, then the lower price, then a draw"),
    ("price,draw", "报价低者优先,其次抽签", "lower price, then a draw"),
)
METHODS = (
    ("benchmark", "综合评估法(评标基准价)", "benchmark method (points for price and for the rest)"),
    ("lowest_evaluated", "经评审的最低投标价法", "lowest evaluated price"),
)


PROJECT = Step(
    "project",
    "项目与招标人",
    "Project and owner",
    (
        Field("project.name", "项目名称", "Project", hint=("与审批文件一致。", "As in the approval.")),
        Field("project.approval", "审批、核准或备案文号", "Approval number", rule="法 §9"),
        Field("project.fund_source", "资金来源和出资比例", "Source of funds and shares", rule="条例 §15"),
        Field(
            "project.state_controlled",
            "国有资金占控股或者主导地位",
            "State funds control the project",
            "choice",
            choices=YES_NO,
            rule="条例 §55 (E-81)",
        ),
        Field("project.sector", "行业监督部门", "Sector (whose regulator supervises)", "choice", choices=SECTORS),
        Field("project.industry", "行业分类代码(两位)", "Industry code (two digits)", max=2),
        Field("region", "行政区划代码(六位)", "Region code (six digits)", max=6),
        Field("owner.name", "招标人名称", "Owner", max=200),
        Field("owner.uscc", "招标人统一社会信用代码", "Owner's unified social credit code", "uscc"),
        Field("agent.name", "招标代理机构名称", "Agent", required=False, rule="条例 §13"),
        Field(
            "agent.uscc", "招标代理机构统一社会信用代码", "Agent's unified social credit code", "uscc", required=False
        ),
        Field("notice.contact.name", "联系人", "Contact"),
        Field("notice.contact.phone", "联系电话", "Telephone"),
        Field("notice.contact.address", "联系地址", "Address"),
    ),
)
SCOPE = Step(
    "scope",
    "标段与限价",
    "Lot and price limit",
    (
        Field("lot.number", "标段序号", "Number of the lot", "number", min=1, max=999),
        Field("lot.name", "标段名称", "Name of the lot"),
        Field("notice.title", "招标公告标题", "Title of the notice"),
        Field(
            "lot.class_code",
            "标段分类代码",
            "Class code of the lot",
            max=7,
            hint=("一位字母(A工程)加六位数字。", "One letter (A works) and six digits."),
        ),
        Field("lot.scope", "招标范围和规模", "Scope and scale", "area", rows=6, rule="10号令 §5"),
        Field("lot.place", "建设地点", "Place"),
        Field("lot.quality", "质量要求", "Quality"),
        Field("lot.period_days_max", "工期上限(日历天)", "Longest period (calendar days)", "number", min=1, max=3650),
        Field(
            "price.max_price_fen",
            "最高投标限价(元)",
            "Max price (yuan)",
            "money",
            required=False,
            max=10**15,
            min=1,
            rule="条例 §27 (E-22)",
            hint=(
                "写明限价,或者在下一栏写明计算方法。不得规定最低投标限价。",
                "State it, or state below how it is found. A minimum price is forbidden.",
            ),
        ),
        Field("price.max_price_method", "最高投标限价的计算方法", "How the max price is found", "area", required=False),
    ),
)
REQUIREMENTS = Step(
    "requirements",
    "投标要求",
    "What a bid must show",
    rows=(
        Rows(
            "requirements",
            "要求",
            "requirement",
            (
                Field("code", "编号", "Code", max=32),
                Field("name", "要求", "Requirement"),
                Field("stage", "评审环节", "Stage", "choice", choices=STAGES),
                Field(
                    "envelope",
                    "在哪里响应",
                    "Shown in",
                    "choice",
                    choices=(
                        ("1", "投标文件中的文件", "a file of the bid"),
                        ("0", "开标一览表的一栏", "a field of the opening list"),
                    ),
                ),
                Field("file", "文件名或栏目", "File name or field"),
                Field("mandatory", "实质性要求", "Mandatory", "choice", choices=YES_NO),
                Field("ground", "否决依据", "Ground of rejection", "choice", choices=GROUNDS, rule="条例 §51"),
            ),
            (
                "开标一览表的栏目:price_fen 报价、period_days 工期、quality 质量、leader 项目负责人。",
                "Fields of the opening list: price_fen, period_days, quality, leader.",
            ),
        ),
    ),
)
METHOD = Step(
    "method",
    "评标办法",
    "How bids are evaluated",
    (
        Field("method.name", "评标办法", "Method", "choice", choices=METHODS, rule="12号令 §29 (E-69)"),
        Field("method.weights.price", "报价权重(%)", "Weight of the price (%)", required=False, max=12),
        Field("method.full", "报价满分", "Full points for the price", required=False, max=20),
        Field(
            "method.base.fixed",
            "固定基准价(元,留空则取有效报价平均值)",
            "Fixed benchmark (yuan; empty = mean of the valid prices)",
            required=False,
            max=24,
        ),
        Field(
            "method.drop",
            "去掉的最高价、最低价",
            "Highest and lowest prices left out",
            "lines",
            required=False,
            rows=3,
            hint=(
                "每行三个数:从几家起、去掉最高几个、去掉最低几个。例:5 1 0",
                "Three numbers a line: from how many bids, how many of the highest, of the lowest. E.g. 5 1 0",
            ),
        ),
        Field("method.float", "基准价下浮(%)", "Benchmark lowered by (%)", required=False, max=12),
        Field("method.above", "报价每高1%扣分", "Points lost per 1 % above", required=False, max=20),
        Field("method.below", "报价每低1%扣分", "Points lost per 1 % below", required=False, max=20),
        Field("method.cap.above", "高出时最多扣分", "Most points lost above", required=False, max=20),
        Field("method.cap.below", "低于时最多扣分", "Most points lost below", required=False, max=20),
        Field("method.floor", "报价最低得分", "Least points for the price", required=False, max=20),
        Field(
            "method.round",
            "小数位数",
            "Decimal places",
            required=False,
            max=20,
            hint=(
                "依次为基准价、偏离、报价得分、其他得分、总分;“-”表示不取舍。",
                "Benchmark, deviation, price points, points, total, in this order; “-” keeps the exact value.",
            ),
        ),
        Field("method.ties", "总分相同时", "When totals are equal", "choice", choices=TIES),
        Field(
            "method.adjustments",
            "价格折算因素(经评审的最低投标价法)",
            "Price adjustments (lowest evaluated price)",
            "lines",
            required=False,
            rows=2,
        ),
    ),
    (
        Rows(
            "items",
            "评分项",
            "scoring item",
            (
                Field("code", "编号", "Code", max=32),
                Field("name", "评分项", "Item"),
                Field("max", "满分", "Most points", "points", max=1_000_00),
                Field("step", "分值间隔", "Step", "points", max=1_000_00),
                Field("kind", "类别", "Kind", "choice", choices=KINDS),
                Field("criterion", "评分标准", "Criterion", "area", rows=2),
            ),
            ("评标委员会只按这里写明的标准评分。", "The panel scores by what is written here and nothing else."),
        ),
    ),
)
SCHEDULE = Step(
    "schedule",
    "时间安排",
    "Schedule",
    (
        Field(
            "planned",
            "计划发布公告的日期",
            "Day on which the notice is to be published",
            "date",
            hint=("中心登记一般不超过1个工作日。", "The centre registers within one working day."),
        ),
        Field(
            "schedule.documents_until",
            "招标文件获取截止",
            "Documents available until",
            "instant",
            rule="条例 §16 (E-06)",
        ),
        Field(
            "schedule.deadline",
            "投标截止(同时开标)",
            "Deadline (and opening)",
            "instant",
            rule="法 §24, §34 (E-07, E-50)",
        ),
        Field("schedule.validity_days", "投标有效期(日)", "Validity of bids (days)", "number", min=1, max=3650),
        Field(
            "schedule.publicity_days",
            "公示天数",
            "Days of publicity",
            "number",
            min=1,
            max=3650,
            rule="条例 §54 (E-79)",
        ),
    ),
)
PANEL = Step(
    "panel",
    "开标、评标委员会与救济",
    "Opening, panel, remedies",
    (
        Field("opening.place", "开标地点(网上开标大厅)", "Place of the opening"),
        Field(
            "opening.fewer_than_three_after_opening",
            "开启后有效投标不足三家时",
            "When fewer than three bids remain after the opening",
            "choice",
            choices=(("stop", "停止,重新招标", "stop and tender again"), ("continue", "继续评审", "go on")),
            rule="E-57",
        ),
        Field("panel.members", "评标委员会人数", "Members of the panel", "number", min=1, max=15, rule="法 §37 (E-61)"),
        Field(
            "panel.owner_representatives", "其中招标人代表", "Of them owner's representatives", "number", min=0, max=7
        ),
        Field("candidates_max", "中标候选人人数", "Candidates", "number", min=1, max=20, rule="条例 §53 (E-75)"),
        Field("remedies.objection", "异议渠道", "Where objections go", "area", rows=2),
        Field("remedies.complaint", "投诉渠道", "Where complaints go", "area", rows=2, rule="条例 §60"),
    ),
    (
        Rows(
            "panel.strata",
            "抽取专业",
            "specialty",
            (
                Field("specialty", "专业代码", "Specialty code", max=32),
                Field("seats", "人数", "Seats", "number", min=1, max=15),
            ),
            (
                "专业代码按评标专家专业分类标准,例:A080201 道路工程。",
                "Codes of the national classification, e.g. A080201 municipal roads.",
            ),
        ),
    ),
)
FILES = Step("files", "招标文件附件", "Documents")
CHECK = Step("check", "检查、预览、提交", "Check, preview, hand in")
STEPS = (PROJECT, SCOPE, REQUIREMENTS, METHOD, SCHEDULE, PANEL, FILES, CHECK)
BY_NAME: Mapping[str, Step] = {step.name: step for step in STEPS}
