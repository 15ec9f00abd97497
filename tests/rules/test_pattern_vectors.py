"""The vectors of filtering.md, section 4: pattern, event, and whether they match; None = the pattern is refused."""

from __future__ import annotations

import json

import pytest

from eventmap.errors import InvalidPattern
from eventmap.rules.pattern import EventPattern

VECTORS: dict[str, tuple[str, str, bool | None]] = {
    "E001": (r'{"a":["x"]}', r'{"a":"x"}', True),
    "E002": (r'{"a":["x"]}', r'{"a":"X"}', False),
    "E003": (r'{"a":["x","y"]}', r'{"a":"y"}', True),
    "E004": (r'{"a":["x"]}', r"{}", False),
    "E005": (r'{"A":["x"]}', r'{"a":"x"}', False),
    "E006": (r'{"a":["x"],"b":["y"]}', r'{"a":"x","b":"y","c":1}', True),
    "E007": (r'{"a":["x"],"b":["y"]}', r'{"a":"x","b":"z"}', False),
    "E008": (r'{"a":{"b":["x"]}}', r'{"a":{"b":"x"}}', True),
    "E009": (r'{"a":{"b":["x"]}}', r'{"a":"x"}', False),
    "E010": (r'{"a":"x"}', r"{}", None),
    "E011": (r'{"a":42}', r"{}", None),
    "E012": (r'{"a":[]}', r"{}", None),
    "E013": (r'["a"]', r"{}", None),
    "E014": (r'"a"', r"{}", None),
    "E015": (r'{"a":[false]}', r'{"a":false}', True),
    "E016": (r'{"a":[false]}', r'{"a":true}', False),
    "E017": (r'{"a":[null]}', r'{"a":null}', True),
    "E018": (r'{"a":[null]}', r'{"a":"null"}', False),
    "E019": (r'{"a":[null]}', r"{}", False),
    "E020": (r'{"a":[null]}', r'{"a":[]}', False),
    "E021": (r'{"a":[""]}', r'{"a":""}', True),
    "E022": (r'{"a":[""]}', r'{"a":null}', False),
    "E023": (r'{"a":[5]}', r'{"a":"5"}', False),
    "E024": (r'{"a":["5"]}', r'{"a":5}', False),
    "E025": (r'{"a":[300]}', r'{"a":300.0}', True),
    "E026": (r'{"a":["x","z"]}', r'{"a":["q","z"]}', True),
    "E027": (r'{"a":["x"]}', r'{"a":["q","r"]}', False),
    "E028": (r'{"a":[{"prefix":"us-"}]}', r'{"a":"us-east-1"}', True),
    "E029": (r'{"a":[{"prefix":"us-"}]}', r'{"a":"eu-us-1"}', False),
    "E030": (r'{"a":[{"prefix":""}]}', r'{"a":"zz"}', True),
    "E031": (r'{"a":[{"prefix":1}]}', r"{}", None),
    "E032": (r'{"a":[{"prefix":["x"]}]}', r"{}", None),
    "E033": (r'{"a":[{"prefix":{"equals-ignore-case":"EV"}}]}', r'{"a":"evt"}', True),
    "E034": (r'{"a":[{"suffix":".png"}]}', r'{"a":"i.png"}', True),
    "E035": (r'{"a":[{"suffix":".png"}]}', r'{"a":"i.PNG"}', False),
    "E036": (r'{"a":[{"suffix":{"equals-ignore-case":".png"}}]}', r'{"a":"i.PNG"}', True),
    "E037": (r'{"a":[{"suffix":""}]}', r'{"a":"zz"}', True),
    "E038": (r'{"a":[{"equals-ignore-case":"hello"}]}', r'{"a":"HeLLo"}', True),
    "E039": (r'{"a":[{"equals-ignore-case":""}]}', r'{"a":"t"}', False),
    "E040": (r'{"a":[{"equals-ignore-case":["x"]}]}', r"{}", None),
    "E041": (r'{"a":[{"wildcard":"/u/*/d.txt"}]}', r'{"a":"/u/x/y/d.txt"}', True),
    "E042": (r'{"a":[{"wildcard":"/u/*/d.txt"}]}', r'{"a":"/u/x/nd.txt"}', False),
    "E043": (r'{"a":[{"wildcard":""}]}', r'{"a":"zz"}', False),
    "E044": (r'{"a":[{"wildcard":"a**b"}]}', r"{}", None),
    "E045": (r'{"a":[{"wildcard":5}]}', r"{}", None),
    "E046": (r'{"a":[{"anything-but":"init"}]}', r'{"a":"run"}', True),
    "E047": (r'{"a":[{"anything-but":"init"}]}', r'{"a":"init"}', False),
    "E048": (r'{"a":[{"anything-but":"init"}]}', r"{}", False),
    "E049": (r'{"a":[{"anything-but":"init"}]}', r'{"a":null}', True),
    "E050": (r'{"a":[{"anything-but":["s","o"]}]}', r'{"a":"o"}', False),
    "E051": (r'{"a":[{"anything-but":123}]}', r'{"a":789}', True),
    "E052": (r'{"a":[{"anything-but":0}]}', r'{"a":789}', True),
    "E053": (r'{"a":[{"anything-but":[100,200]}]}', r'{"a":100}', False),
    "E054": (r'{"a":[{"anything-but":null}]}', r"{}", None),
    "E055": (r'{"a":[{"anything-but":["s",null]}]}', r"{}", None),
    "E056": (r'{"a":[{"anything-but":{"prefix":"in"}}]}', r'{"a":"init"}', False),
    "E057": (r'{"a":[{"anything-but":{"prefix":"in"}}]}', r'{"a":12}', True),
    "E058": (r'{"a":[{"anything-but":{"prefix":["in","po"]}}]}', r'{"a":"post"}', False),
    "E059": (r'{"a":[{"anything-but":{"prefix":""}}]}', r"{}", None),
    "E060": (r'{"a":[{"anything-but":{"suffix":".txt"}}]}', r'{"a":"f.txt.bak"}', True),
    "E061": (r'{"a":[{"anything-but":{"suffix":[".txt",".jpg"]}}]}', r'{"a":"f.jpg"}', False),
    "E062": (r'{"a":[{"anything-but":{"equals-ignore-case":"init"}}]}', r'{"a":"INIT"}', False),
    "E063": (r'{"a":[{"anything-but":{"equals-ignore-case":["x","y"]}}]}', r'{"a":null}', True),
    "E064": (r'{"a":[{"anything-but":{"wildcard":"*/in/*"}}]}', r'{"a":"d/in/f"}', False),
    "E065": (r'{"a":[{"anything-but":{"wildcard":"*/d/*"}}]}', r'{"a":123}', True),
    "E066": (r'{"a":[{"anything-but":{"wildcard":""}}]}', r'{"a":"x"}', True),
    "E067": (r'{"a":[{"numeric":[">",0,"<=",5]}]}', r'{"a":5}', True),
    "E068": (r'{"a":[{"numeric":[">",0,"<=",5]}]}', r'{"a":0}', False),
    "E069": (r'{"a":[{"numeric":["=",3.018e2]}]}', r'{"a":301.8}', True),
    "E070": (r'{"a":[{"numeric":[">",100]}]}', r'{"a":"300"}', False),
    "E071": (r'{"a":[{"numeric":[">",100]}]}', r'{"a":null}', False),
    "E072": (r'{"a":[{"numeric":[">",100]}]}', r'{"a":101.0}', True),
    "E073": (r'{"a":[{"numeric":10}]}', r"{}", None),
    "E074": (r'{"a":[{"numeric":[">",0,"<"]}]}', r"{}", None),
    "E075": (r'{"a":[{"numeric":[">",0,">",0]}]}', r"{}", None),
    "E076": (r'{"a":[{"NUMERIC":["=",5]}]}', r"{}", None),
    "E077": (r'{"a":[{"exists":true}]}', r'{"a":null}', True),
    "E078": (r'{"a":[{"exists":true}]}', r'{"b":1}', False),
    "E079": (r'{"a":[{"exists":true}]}', r'{"a":{"b":1}}', False),
    "E080": (r'{"a":[{"exists":false}]}', r'{"a":{"b":1}}', True),
    "E081": (r'{"a":[{"exists":false}]}', r'{"a":"x"}', False),
    "E082": (r'{"a":{"b":{"c":[{"exists":false}]}}}', r'{"a":{"b":"x"}}', True),
    "E083": (r'{"a":[{"exists":true}]}', r'{"a":[]}', False),
    "E084": (r'{"a":[{"EXISTS":true}]}', r"{}", None),
    "E085": (r'{"a":[{"exists":true},{"prefix":"zz"}]}', r'{"a":"q"}', True),
    "E086": (r'{"a":{"S":[{"anything-but":["r"]},{"exists":false}]}}', r'{"a":{"N":"1"}}', True),
    "E087": (r'{"a":{"S":[{"anything-but":["r"]},{"exists":false}]}}', r"{}", True),
    "E088": (r'{"a":[{"cidr":"10.0.0.0/24"}]}', r'{"a":"10.0.0.255"}', True),
    "E089": (r'{"a":[{"cidr":"10.0.0.0/24"}]}', r'{"a":"10.0.0.256"}', False),
    "E090": (r'{"a":[{"cidr":"10.0.0.0/24"}]}', r'{"a":5}', False),
    "E091": (r'{"a":[{"cidr":"2001:db8::/64"}]}', r'{"a":"2001:0db8:0000:0000:0001::1"}', True),
    "E092": (r'{"a":[{"cidr":"bad"}]}', r"{}", None),
    "E093": (r'{"$or":[{"a":[1]},{"b":[2]}]}', r'{"b":2}', True),
    "E094": (r'{"$or":[{"a":[1]},{"b":[2]}]}', r'{"a":2,"b":1}', False),
    "E095": (r'{"c":["x"],"$or":[{"a":[1]},{"b":[2]}]}', r'{"a":1}', False),
    "E096": (r'{"$or":[{"prefix":"x"},{"suffix":"y"}]}', r'{"$or":"xq"}', True),
    "E097": (r'{"a.b":["x"]}', r'{"a":{"b":"x"}}', True),
    "E098": (r'{"a":{"b":["x"]}}', r'{"a.b":"x"}', True),
    "E099": (r'{"a":{"b":["x"]}}', r'{"a.b":{"b":"x"}}', False),
    "E100": (r'{"a":{"k":["v"]}}', r'{"a":"{\"k\":\"v\"}"}', False),
    "E101": (r'{"l":{"id":[{"exists":true}]}}', r'{"l":[{"k":1},{"id":"m"},{"k":2}]}', True),
    "E102": (r'{"a":["one "]}', r'{"a":"one"}', False),
    "E103": (r'{"a":["x"],"a":["y"]}', r'{"a":"x"}', False),
    "E104": (r'{"l":{"id":[{"exists":true}]}}', r'{"l":[{"k":1},{},{"k":2}]}', False),
    "E105": (r'{"l":{"a":[1],"b":[2]}}', r'{"l":[{"a":1,"b":9},{"a":9,"b":2}]}', False),
    "E106": (r'{"l":{"a":[1],"b":[2]}}', r'{"l":[{"a":1,"b":2}]}', True),
}


@pytest.mark.parametrize("vector", VECTORS)
def test_vector(vector: str):
    """FIL-40..70: each vector of the specification, from text and from parsed events."""
    pattern, event, expected = VECTORS[vector]

    if expected is None:
        with pytest.raises(InvalidPattern):
            EventPattern(pattern)
        return

    compiled = EventPattern(pattern)
    assert compiled.matches(event) is expected
    assert compiled.matches(event.encode()) is expected
    assert compiled.matches(json.loads(event)) is expected
    assert compiled.explain(event).matched is expected
    assert EventPattern(json.loads(pattern)).matches(event) is expected
