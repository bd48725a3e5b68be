"""News in one or two lines, of four topics that share many of their words.

In: number of texts, seed.  Out: LABELS, generate().  Imports: the standard library alone.

A text has its topic, the label, and a second topic that it touches. Who acts, what is done and under which
circumstances is drawn, each by itself, from the one, from the other, or from common ground. Where the draws fall on the
second topic as often as on the first, even a perfect reader is in doubt; common ground says nothing.
"""

from collections.abc import Iterator
from random import Random

from pipeline.corpus.generated.grammar import Grammar, pick

LABELS = ("Business", "Sci/Tech", "Sports", "World")

# Chances that a topical slot is of the text's own topic and of the second one; the rest is common ground.
OWN, SECOND = 0.62, 0.18

# For each topic: who, what they did (transitive verbs), what it was done to, and under which circumstances.
TOPICS = {
    "common": {
        "actor": """chairman | president | union | committee | director | veteran | captain | group | team | agency |
            newcomer | authorities | city council | partners | expert | critics | members | insiders | visitors |
            rivals""",
        "verb": """won | lost | delayed | rejected | launched | approved | opened | challenged | reviewed | led |
            halted | celebrated | questioned | backed | cut | extended | ended | announced | defended | planned""",
        "matter": """record | deal | campaign | decision | rules | race | charges | plan | strike | talks | break |
            offer | long wait | title | contract | defence | second round | programme | reform | inquiry""",
        "setting": """after a slow start | despite doubts | in the second half | for the third time | under pressure |
            ahead of a key meeting | in a close vote | with a wide lead | at the last minute | after a long delay |
            in the north | amid growing concern | before a large crowd | without comment | by a narrow margin""",
    },
    "Business": {
        "actor": """bank | retailer | carmaker | oil producer | airline | insurer | investors | shareholders |
            brewery | chief executive | central bank | lender | supermarket chain | exporters | steel maker |
            hedge fund | accountants | property firm | food company | traders""",
        "verb": """bought | sold | refinanced | wrote off | posted | raised | lowered | valued | merged | taxed |
            listed | audited | restructured | forecast | financed""",
        "matter": """shares | quarterly profit | dividend | interest rates | bond sale | takeover | earnings |
            sales figures | merger | pension fund | oil price | retail sales | stock listing | loan | credit rating |
            trade surplus | cost cuts | currency | annual results | consumer spending""",
        "setting": """on the stock exchange | as prices climbed | after weak sales | as markets fell |
            in the third quarter | amid rising costs | as demand grew | with debts unpaid | as the currency weakened |
            despite lower revenue | after the annual meeting | as inflation eased""",
    },
    "Sci/Tech": {
        "actor": """researchers | software maker | space agency | chip maker | astronomers | engineers | laboratory |
            biologists | search engine | programmers | phone maker | physicists | university team | hackers |
            satellite operator | geneticists | robot builders | internet provider | chemists | web designers""",
        "verb": """discovered | tested | patched | upgraded | measured | decoded | downloaded | mapped | simulated |
            observed | printed | encrypted | cloned | scanned | programmed""",
        "matter": """software | virus | operating system | space probe | satellite | browser | gene study |
            computer chip | planet | wireless network | fossil | security flaw | robot | quantum machine |
            data centre | telescope | vaccine | spam filter | battery | digital music""",
        "setting": """in orbit | on the internet | in a laboratory trial | in a journal article |
            after a software update | with a new sensor | using laser light | on mobile phones |
            at a developer conference | with open code | beyond the solar system | in an online test""",
    },
    "Sports": {
        "actor": """striker | goalkeeper | coach | champions | home side | sprinter | tennis star | batsman | rookie |
            referee | swimmer | league leaders | golfer | rowing crew | cyclist | relegated club | midfielder |
            pitcher | skater | fans""",
        "verb": """beat | scored | dominated | missed | tied | coached | entered | equalised | sprinted through |
            played | overtook | tackled | trained for | qualified for | dropped out of""",
        "matter": """penalty | semifinal | gold medal | cup tie | transfer | season opener | knee injury | home run |
            derby | world record | grand slam | playoff | hat trick | overtime win | relay | league match |
            training camp | marathon | quarterfinal | championship""",
        "setting": """in extra time | at the stadium | in straight sets | on the final lap | before halftime |
            on penalties | with two goals | in the last inning | at the games | after the injury | from the bench |
            for the home fans""",
    },
    "World": {
        "actor": """prime minister | rebels | foreign minister | army | peace envoy | parliament | opposition |
            refugees | police | border guards | court | protesters | ambassador | election officials | militants |
            king | aid workers | voters | human rights group | cabinet""",
        "verb": """condemned | freed | arrested | sentenced | evacuated | monitored | voted on | crossed | toured |
            vetoed | occupied | negotiated | accused | recognised | pardoned""",
        "matter": """ceasefire | peace accord | election | prisoners | border crossing | coup attempt | sanctions |
            troops | refugee camp | earthquake | treaty | blockade | constitution | flood relief | death toll |
            trial | embassy | summit | checkpoint | nuclear dispute""",
        "setting": """in the capital | near the border | after an attack | in exile | as violence spread |
            in a refugee camp | at the summit | after the election | under martial law | as troops withdrew |
            in the disputed province | after days of protest""",
    },
}

RULES = {
    "text": """{who} {deed}, {source} said {time}. {comment} | {who} {deed} {setting}, {source} said {time} |
        {time} {who} {deed} {setting}. {comment} | {who} {deed} {time}. {comment} {setting} |
        {source} said {time} that {who} {deed} {setting} | {who} and {who} {deed} {setting} {time} |
        {who} {deed}. {setting}, {who} spoke of the {matter} {time} | {comment}: {who} {deed} {setting} {time}""",
    "who": "the {actor} | the {actor} | the {actor} | {which} {actor}",
    "which": "even the | our | the other | the same | the former",
    "quality": "new | big | first | final | disputed | planned | late | surprising | so-called | national",
    "comment": """the {matter} {became} | the {matter} {became} | the {actor} had no comment |
        the {actor} sounded surprised | {source} spoke of the {matter} | the {actor} hoped for the {matter}""",
    "became": """came as a surprise | came after long talks | remained in doubt | faced delays | made headlines |
        divided the {actor} | will not be the last | could follow""",
    "time": """on monday | on tuesday | on wednesday | on thursday | on friday | on saturday | on sunday | last week |
        this morning | yesterday | late last night | again this year | after months of silence |
        earlier this month""",
    "source": """a spokesman | a spokeswoman | two insiders | officials | organisers | experts | an adviser |
        a report | the director | local media""",
}
TOPICAL = {"actor", "deed", "matter", "setting"}


def name_rules() -> dict[str, str]:
    """The topics' rules as {slot}_{topic}, with a `deed` for each, whose verb and object belong together."""
    rules = {f"{slot}_{topic}": words for topic, lists in TOPICS.items() for slot, words in lists.items()}
    for topic in TOPICS:
        verb, matter = f"{{verb_{topic}}}", f"{{matter_{topic}}}"
        rules[f"deed_{topic}"] = f"{verb} the {matter} | {verb} the {matter} | {verb} the {{quality}} {matter}"
    return rules


GRAMMAR = Grammar(RULES | name_rules())


def generate(rows: int, seed: int) -> Iterator[tuple[str, str]]:
    """`rows` pairs (text, label), the classes taking turns."""
    random = Random(seed)
    for index in range(rows):
        label = LABELS[index % len(LABELS)]
        yield write(label, random), label


def write(label: str, random: Random) -> str:
    """A text of class `label`."""
    second = pick([other for other in LABELS if other != label], random)

    def choose_topic(slot: str) -> str:
        if slot not in TOPICAL:
            return slot
        chance = random.random()
        topic = label if chance < OWN else second if chance < OWN + SECOND else "common"
        return f"{slot}_{topic}"

    return GRAMMAR.expand("text", random, choose_topic)
