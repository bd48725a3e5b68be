"""News in one line, headline and lead, of four topics that share half of their words.

In: number of texts, seed.  Out: generate().  Imports: the standard library alone.

Every text has a topic, its label, and a second topic that it touches: who acts, what is done, to what, and under which
circumstances is each drawn from one of the two or from common ground. Where the draws fall on the second topic more
often than on the first, even a perfect reader is in doubt.
"""

from random import Random

from pipeline.corpus.embedded.grammar import Grammar, pick

LABELS = ("Business", "Sci/Tech", "Sports", "World")
SHARED = "shared"

# Slots whose rule depends on the topic that is drawn for them.
TOPICAL = {"actor", "deed", "matter", "setting"}

RULES = {
    "text": """{headline}. {lead}""",
    "headline": """{actor} {deed} {matter} | {actor} {deed} {matter} {setting} | {matter} worries {actor} |
        {actor} and {actor} {deed} {matter} | {actor} defends {matter} | new {matter} surprises {actor} |
        {actor} awaits {matter} | {matter} in doubt as {actor} {deed} {matter}""",
    "lead": """{setting}, {actor} said {time} | {actor} {deed} {matter} {time} | {source} said {time} that {actor} {deed} {matter} |
        the {matter} {setting} {came} {time} | {time} {actor} spoke of {matter} {setting} | {came} {setting}, {source} said""",
    "came": "came as a surprise | came after long talks | had been expected | was confirmed | was put off | was disputed",
    "time": """on monday | on tuesday | on wednesday | on thursday | on friday | on saturday | on sunday | last week |
        this morning | yesterday | late last night | for the second time this year | after months of silence |
        earlier this month""",
    "source": """a spokesman | a spokeswoman | two people close to the matter | officials | organisers | experts | an adviser |
        a report | the director | local media""",
    "actor_shared": """chairman | president | union | committee | director | veteran | captain | rival | group | team | agency |
        young leader | authorities | city council | partners | expert | critics | two former members | insiders | visitors""",
    "deed_shared": """wins | loses | delays | rejects | launches | approves | opens | challenges | strikes over | closes in on |
        reviews | leads | halts | celebrates | seeks | questions | backs | cuts | extends | ends""",
    "matter_shared": """record | deal | campaign | final decision | new rules | race | charge | plan | strike | talks | break |
        surprise offer | long wait | title | contract | defence | second round | programme | reform | inquiry""",
    "setting_shared": """after a slow start | despite doubts | in the second half of the year | for the third time | under pressure |
        ahead of a key meeting | in a close vote | with a wide lead | at the last minute | after a long delay | in the north |
        amid growing concern | in front of a large crowd | without comment | by a narrow margin""",
    "actor_Business": """bank | retailer | carmaker | oil producer | airline | insurer | investors | shareholders | chief executive |
        brewery | central bank | lender | supermarket chain | exporters | steel maker | hedge fund | accountants | property firm |
        food company | traders""",
    "deed_Business": """buys | sells | invests in | writes off | posts | raises | lowers | refinances | merges with | bids for |
        lists | audits | restructures | forecasts | outbids""",
    "matter_Business": """shares | quarterly profit | dividend | interest rates | bond sale | takeover | earnings forecast |
        sales figures | merger | pension fund | oil prices | retail sales | stock listing | loan | credit rating | trade surplus |
        cost cuts | currency | annual results | consumer spending""",
    "setting_Business": """on the stock exchange | as prices climb | after weak sales | as markets slide | in the third quarter |
        amid rising costs | as demand grows | with debts unpaid | as the currency weakens | despite lower revenue |
        after the annual meeting | as inflation eases""",
    "actor_Science": """researchers | software maker | space agency | chip maker | astronomers | engineers | laboratory |
        telescope crew | biologists | search engine | programmers | phone maker | physicists | university team | hackers |
        satellite operator | geneticists | robot builders | internet provider | chemists""",
    "deed_Science": """discovers | tests | patches | upgrades | measures | decodes | downloads | maps | simulates | observes |
        prints | encrypts | clones | scans | programs""",
    "matter_Science": """software | virus | operating system | probe | satellite | browser | gene study | computer chip | planet |
        wireless network | fossil | security flaw | robot | quantum machine | data centre | telescope | vaccine trial | spam filter |
        battery | digital music""",
    "setting_Science": """in orbit | on the internet | in a laboratory trial | in a journal article | after a software update |
        with a new sensor | using laser light | on mobile phones | at a developer conference | beyond the solar system |
        in an online test | with open code""",
    "actor_Sports": """striker | goalkeeper | coach | champions | home side | sprinter | tennis star | visitors | batsman | rookie |
        referee | swimmer | league leaders | golfer | rowing crew | cyclist | relegated club | midfielder | pitcher | skater""",
    "deed_Sports": """beats | scores | defeats | trains for | signs | misses | ties | coaches | dribbles past | qualifies for |
        equalises in | sprints to | benches | overtakes | tackles""",
    "matter_Sports": """penalty | semifinal | gold medal | cup tie | transfer | season opener | knee injury | home run | derby |
        world record | grand slam | playoff | hat trick | overtime win | relay | league match | training camp | marathon |
        quarterfinal | championship""",
    "setting_Sports": """in extra time | at the stadium | in straight sets | on the final lap | before halftime | after the injury |
        with two goals | in the last inning | at the games | on penalties | from the bench | in front of home fans""",
    "actor_World": """prime minister | rebels | foreign minister | army | peace envoy | parliament | opposition | refugees | police |
        border guards | court | protesters | ambassador | election officials | militants | king | aid workers | voters |
        human rights group | cabinet""",
    "deed_World": """condemns | frees | arrests | sentences | evacuates | bombs | votes on | deports | invades | vetoes | occupies |
        negotiates | accuses | shells | pardons""",
    "matter_World": """ceasefire | peace accord | election | hostages | border crossing | coup attempt | sanctions | troops |
        refugee camp | earthquake | treaty | bombing | constitution | flood relief | death toll | trial | embassy | summit |
        checkpoint | nuclear dispute""",
    "setting_World": """in the capital | near the border | after an attack | in exile | as violence spreads | in a refugee camp |
        at the summit | after the election | under martial law | as troops withdraw | in the disputed province |
        after days of protest""",
}
GRAMMAR = Grammar(RULES)
RULE_NAME = {"Sci/Tech": "Science"}

# Chances that a slot is of the text's own topic, of the second one, or common ground (the rest).
OWN, SECOND = 0.40, 0.22


def generate(rows: int, seed: int) -> list[tuple[str, str]]:
    """`rows` pairs (text, label), the classes taking turns."""
    random = Random(seed)
    return [write(LABELS[index % len(LABELS)], random) for index in range(rows)]


def write(label: str, random: Random) -> tuple[str, str]:
    """A text of class `label`, and its label."""
    second = pick([other for other in LABELS if other != label], random)

    def choose_topic(slot: str) -> str:
        if slot not in TOPICAL:
            return slot
        chance = random.random()
        topic = label if chance < OWN else second if chance < OWN + SECOND else SHARED
        return f"{slot}_{RULE_NAME.get(topic, topic)}"

    return GRAMMAR.expand("text", random, choose_topic), label
